import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isSliceable, slicesOf } from './encode-slices.js';
import { loadTokenizer } from './tokenizer.js';

const tokenizer = await loadTokenizer('models/qwen3-moe-demo');

const TEXTS = [
  'The quick brown fox jumps.  Over\n\n  the lazy dog\t\tand  more \r\n words',
  "It's what they'd've said; don't we'll\n'ts 's",
  '从前有一座山，山上有一座庙。庙里有个老和尚，讲故事：从前',
  'cafe\u0301 cafe\u0301\u0301 \u0301x e\u0301 \u00c5 A\u030a',
  'def f(x):\n    return x + 1  # comment\n\n\nclass A: pass',
  '0123456789 3.14159 1,000,000  42\n7 x86 v2.0.1',
  '１２３ ①② ½¾ 1\u0301 2\u0301 Ⅷ 三百 ٣٤٥ 1\u20e3 2',
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

  it.each(['0123456789'.repeat(200), '1 '.repeat(1000)])('cuts long rows of digits too', (text) => {
    expect(Math.max(...[...slicesOf(text, 500)].map(({ length }) => length))).toBeLessThan(520);
  });

  it('leaves text whole where there is no safe place', () => {
    expect([...slicesOf('-+'.repeat(50), 5)]).toHaveLength(1);
  });
});

describe('isSliceable', () => {
  const { pre_tokenizer: preTokenizer } = JSON.parse(readFileSync('models/qwen3-moe-demo/tokenizer.json', 'utf8')) as {
    readonly pre_tokenizer: unknown;
  };

  it("is so for Qwen's tokenizers, and not for one that takes digits in groups", () => {
    expect(isSliceable(preTokenizer, ['<|im_start|>', '<think>'])).toBe(true);
    const inGroups = JSON.parse(JSON.stringify(preTokenizer).replace('|\\\\p{N}|', '|\\\\p{N}{1,3}|')) as unknown;
    expect(inGroups).not.toEqual(preTokenizer);
    expect(isSliceable(inGroups, [])).toBe(false);
  });

  it('is not so where an added token would be cut', () => {
    expect(isSliceable(preTokenizer, ['<|reserved_12|>'])).toBe(false);
    expect(isSliceable(preTokenizer, ['end of text'])).toBe(false);
  });
});
