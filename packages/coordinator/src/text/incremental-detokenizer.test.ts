import { describe, expect, it } from 'vitest';
import { IncrementalDetokenizer } from './incremental-detokenizer.js';
import { loadTokenizer } from './tokenizer.js';

const tokenizer = await loadTokenizer('models/qwen3-moe-demo');

function detokenize(pieces: readonly (readonly number[])[], skipSpecialTokens = false): string[] {
  const detokenizer = new IncrementalDetokenizer(tokenizer, { skipSpecialTokens });
  return [...pieces.map((ids) => detokenizer.push(ids)), detokenizer.flush()];
}

describe('IncrementalDetokenizer', () => {
  it('gives an emoji only when its last byte has come', async () => {
    const ids = await tokenizer.encode('🦜');
    expect(ids.length).toBeGreaterThan(1);
    const texts = detokenize(ids.map((id) => [id]));
    expect(texts.slice(0, -2).join('')).toBe('');
    expect(texts.at(-2)).toBe('🦜');
  });

  it.each(['naïve café', '你好，世界。', '👩‍👩‍👧‍👦 family', 'a\u{feff}b', '<think>\n\n</think>\n\nx<|im_end|>'])(
    'gives the text of the whole however %j is cut in two',
    async (text) => {
      const ids = await tokenizer.encode(text);
      for (let cut = 0; cut <= ids.length; cut++) {
        const texts = detokenize([ids.slice(0, cut), ids.slice(cut)]);
        expect(texts.join('')).toBe(tokenizer.decode(ids));
        expect(texts.join('')).not.toContain('\u{fffd}');
      }
    },
  );

  it('ends with U+FFFD when the last character is incomplete, as decoding the whole does', async () => {
    const ids = (await tokenizer.encode('ok 🦜')).slice(0, -1);
    const texts = detokenize([ids]);
    expect(texts).toEqual(['ok ', '\u{fffd}']);
    expect(texts.join('')).toBe(tokenizer.decode(ids));
  });

  it('leaves control tokens out when asked to, and keeps <think>, which is none', async () => {
    const ids = await tokenizer.encode('<think>x</think><|im_end|>');
    expect(detokenize([ids], true).join('')).toBe('<think>x</think>');
  });

  it('gives nothing for ids beyond the vocabulary', () => {
    expect(detokenize([[1_000_000]])).toEqual(['', '']);
  });
});
