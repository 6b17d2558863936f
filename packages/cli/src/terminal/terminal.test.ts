import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { milliseconds, percent, timeText } from './figures.js';
import { LiveScreen } from './live-screen.js';
import { onQuitKey } from './quit-keys.js';
import { COLOURED, PLAIN, styleFor } from './style.js';
import { tableLines } from './text-table.js';
import { clipLine, visibleWidth } from './visible-text.js';

describe('tableLines', () => {
  it('aligns columns, whatever colours are in them', () => {
    const lines = tableLines(
      [{ title: 'NAME' }, { title: 'N', align: 'right' }],
      [
        ['a', COLOURED.heat(1, '5')],
        ['long', '1000'],
      ],
    );
    expect(lines.map(visibleWidth)).toEqual([10, 10, 10]);
    expect(lines[2]).toBe('long  1000');
  });
});

describe('clipLine', () => {
  it('cuts by what is seen and keeps the codes that end a colour', () => {
    expect(clipLine(COLOURED.bold('abcdef'), 3)).toBe('\u001b[1mabc\u001b[0m');
    expect(clipLine('abc', 3)).toBe('abc');
  });
});

describe('styleFor', () => {
  it('colours terminals alone, and not where colours are unwanted', () => {
    expect(styleFor({ isTTY: true }, {})).toBe(COLOURED);
    expect(styleFor({ isTTY: true }, { NO_COLOR: '1' })).toBe(PLAIN);
    expect(styleFor({ isTTY: true }, { TERM: 'dumb' })).toBe(PLAIN);
    expect(styleFor({}, {})).toBe(PLAIN);
  });

  it('goes from cold to hot', () => {
    const colours = [-1, 0, 0.5, 1, 9].map((heat) => COLOURED.heat(heat, 'x'));
    expect(new Set(colours).size).toBe(3);
  });
});

describe('LiveScreen', () => {
  it('draws within the terminal and gives it back', () => {
    const output = Object.assign(new PassThrough(), { isTTY: true, rows: 3, columns: 4 });
    const screen = new LiveScreen(output);
    screen.draw(['abcdef', 'second', 'third']);
    screen.close();
    const written = String(output.read());
    expect(written).toContain('\u001b[Habcd\u001b[K\nseco\u001b[K\n\u001b[J');
    expect(written).not.toContain('thir');
    expect(written.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  });

  it('leaves a terminal alone on which nothing was drawn', () => {
    const output = new PassThrough();
    new LiveScreen(output).close();
    expect(output.read()).toBeNull();
  });
});

describe('onQuitKey', () => {
  it.each(['q', '\u0003'])('quits at %j and gives the keyboard back', (key) => {
    const modes: boolean[] = [];
    const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (isRaw: boolean) => modes.push(isRaw) });
    let numQuits = 0;
    const release = onQuitKey(input, () => (numQuits += 1));
    input.emit('data', Buffer.from('x'));
    input.emit('data', Buffer.from(key));
    release();
    input.emit('data', Buffer.from(key));
    expect([numQuits, modes]).toEqual([1, [true, false]]);
  });
});

it('writes figures for people', () => {
  expect([percent(0.123), milliseconds(0), milliseconds(1.2345), milliseconds(1698)]).toEqual([
    '12.3 %',
    '-',
    '1.23 ms',
    '1.70 s',
  ]);
  expect(timeText(new Date(2026, 0, 31, 9, 5, 0).getTime())).toBe('2026-01-31 09:05:00');
});
