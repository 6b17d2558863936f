import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from './tokenizer.js';

const dir = await mkdtemp(join(tmpdir(), 'expertmesh-tokenizer-'));
afterAll(() => rm(dir, { recursive: true }));

describe('loadTokenizer', () => {
  it('knows the end-of-answer token and the control tokens', async () => {
    const tokenizer = await loadTokenizer('models/qwen3-moe-demo');
    expect(tokenizer.eosTokenId).toBe(2041);
    expect(tokenizer.idOf('<think>')).toBe(2042);
    expect(tokenizer.isSpecial(2041)).toBe(true);
    expect(tokenizer.isSpecial(2042)).toBe(false);
    expect(tokenizer.specialTokens).toEqual({ eos_token: '<|im_end|>', pad_token: '<|endoftext|>' });
  });

  it('parses control tokens in text, as transformers does', async () => {
    const tokenizer = await loadTokenizer('models/qwen3-moe-demo');
    expect(await tokenizer.encode('<|im_end|>')).toEqual([2041]);
  });

  it('encodes and decodes the empty text', async () => {
    const tokenizer = await loadTokenizer('models/qwen3-moe-demo');
    expect(await tokenizer.encode('')).toEqual([]);
    expect(tokenizer.decode([])).toBe('');
  });

  it('names the file that is missing', async () => {
    await expect(loadTokenizer(dir)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('tokenizer.json') as string,
    });
  });

  it('refuses a tokenizer that is not byte-level', async () => {
    const sentencePiece = { model: { vocab: { a: 0 } }, added_tokens: [], decoder: { type: 'Sequence' } };
    await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(sentencePiece));
    await writeFile(join(dir, 'tokenizer_config.json'), '{}');
    await expect(loadTokenizer(dir)).rejects.toMatchObject({ code: 'unimplemented' });
  });
});
