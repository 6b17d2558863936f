import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { formatDuration, ProgressBar } from './progress-bar.js';

const written = (stream: PassThrough): string => String(stream.read() ?? '');

describe('ProgressBar', () => {
  it('writes a line every 5 s where there is no terminal', () => {
    const stream = new PassThrough();
    let nowMs = 0;
    const bar = new ProgressBar('Packing', stream, () => nowMs);
    for (; nowMs <= 11_000; nowMs += 500) bar.update({ doneBytes: nowMs * 1000, totalBytes: 100_000_000 });
    bar.stop();
    expect(written(stream)).toBe(
      'Packing 5 % of 100 MB, 1.00 MB/s, 1 min 35 s left\nPacking 10 % of 100 MB, 1.00 MB/s, 1 min 30 s left\n',
    );
  });

  it('draws a bar on a terminal and gives the cursor back', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true });
    let nowMs = 0;
    const bar = new ProgressBar('Writing', stream, () => nowMs);
    bar.update({ doneBytes: 0, totalBytes: 2_000_000 });
    nowMs = 1_000;
    bar.update({ doneBytes: 1_000_000, totalBytes: 2_000_000 });
    bar.stop();
    const text = written(stream);
    expect(text).toContain('50 % of 2.00 MB, 1.00 MB/s, 1 s left');
    expect(text.lastIndexOf('\u001b[?25h')).toBeGreaterThan(text.lastIndexOf('\u001b[?25l'));
  });
});

describe('formatDuration', () => {
  it.each([
    [0.2, '1 s'],
    [59, '59 s'],
    [125, '2 min 05 s'],
    [3600 * 3 + 7 * 60 + 59, '3 h 07 min'],
  ])('%d s is %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});
