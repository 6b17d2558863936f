import { describe, expect, it } from 'vitest';
import { slicesOf } from './encode-slices.js';
import { loadTokenizer } from './tokenizer.js';

const tokenizer = await loadTokenizer('models/qwen3-moe-demo');

const TEXTS = [
  'The quick brown fox jumps.  Over\n\n  the lazy dog\t\tand  more \r\n words',
  "It's what they'd've said; don't we'll\n'ts 's",
  '从前有一座山，山上有一座庙。庙里有个老和尚，讲故事：从前',
  'cafe\u0301 cafe\u0301\u0301 \u0301x e\u0301 \u00c5 A\u030a',
  'def f(x):\n    return x + 1  # comment\n\n\nclass A: pass',
  '<|im_start|>user\nhello there<|im_end|>\n<think>\n\n</think>\n\nok fine',
];

describe('slicesOf', () => {
  it.each(TEXTS)('cuts %j only where the tokens of the parts are the tokens of the whole', async (text) => {
    const whole = await tokenizer.encode(text);
    for (const sliceChars of [1, 2, 3, 7, 20]) {
      const slices = [...slicesOf(text, sliceChars)];
      const tokenIds = await Promise.all(slices.map((slice) => tokenizer.encode(slice)));
      expect(slices.join('')).toBe(text);
      expect(tokenIds.flat()).toEqual(whole);
    }
  });

  it('cuts long prose into slices of about the size asked for', () => {
    const slices = [...slicesOf('some words '.repeat(1000), 500)];
    expect(slices.length).toBeGreaterThan(15);
    expect(Math.max(...slices.map(({ length }) => length))).toBeLessThan(520);
  });

  it('leaves text whole where there is no safe place', () => {
    expect([...slicesOf('0123456789'.repeat(10), 5)]).toHaveLength(1);
  });
});
