import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadChatTemplate } from '@expertmesh/coordinator/text/chat-template';
import { loadTokenizer } from '@expertmesh/coordinator/text/tokenizer';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type WeightBits } from '@expertmesh/shared/expert-store/quantisation';
import { storeBlobs } from '@expertmesh/shared/expert-store/store-blobs';
import { synthStore } from '@expertmesh/shared/expert-store/synth/synth-store';
import { ExpertmeshProcess } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { readStoredPart } from './weights.js';
import { verifyBlobs } from './verify-blobs.js';

async function synth(bits: WeightBits, numThreads = 2): Promise<ExpertStore> {
  const storeDir = join(tempDir(), 'store');
  await synthStore({ preset: 'demo', numLayers: 2, bits, storeDir, numThreads });
  return openExpertStore(storeDir);
}

describe.each([4, 8, 16, 32] as const)('dummy weights of %d bits', (bits) => {
  it('are the same every time, spread around 0 by 0.02, with norms of 1', async () => {
    const store = await synth(bits);
    expect(store.storeId).toBe((await synth(bits, 1)).storeId);
    await verifyBlobs(store);
    for (const { path, layout } of storeBlobs(store.spec, store.quantisation).slice(0, 20))
      for (const name of new Set(layout.tensors.map((tensor) => tensor.name.replace(/\.(q|scales)$/, '')))) {
        const { values } = readStoredPart(store, path, layout, name);
        const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
        const std = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
        const where = `${path} ${name}`;
        if (name.endsWith('_norm'))
          expect(
            values.every((x) => x === 1),
            where,
          ).toBe(true);
        else expect([Math.abs(mean) < 0.002, Math.abs(std - 0.02) < 0.002], where).toEqual([true, true]);
      }
  });
});

describe('the dummy tokenizer', () => {
  let dir: string;
  beforeAll(async () => {
    ({ dir } = await synth(4));
  });

  it('turns a text into its bytes and back, with the special tokens in their places', async () => {
    const tokenizer = await loadTokenizer(dir);
    const text = "Hello, 世界 🎉\n\n it's";
    expect(await tokenizer.encode(text)).toEqual([...Buffer.from(text)]);
    const tokenIds = await tokenizer.encode(`<|im_start|>${text}<|im_end|><think>`);
    expect([tokenIds[0], ...tokenIds.slice(-2)]).toEqual([2040, 2041, 2042]);
    expect(tokenizer.decode(tokenIds)).toBe(`<|im_start|>${text}<|im_end|><think>`);
    expect(tokenizer.eosTokenId).toBe(2041);
  });

  it('can show every id of the vocabulary', async () => {
    const tokenizer = await loadTokenizer(dir);
    expect(tokenizer.decode([256, 2038])).toBe('<tok-256><tok-2038>');
    for (let tokenId = 0; tokenId < 2048; tokenId++) expect(tokenizer.bytesOf(tokenId).length).toBeGreaterThan(0);
  });

  it('has a ChatML template that can switch thinking off', async () => {
    const template = await loadChatTemplate(dir, {});
    const messages = [{ role: 'user', content: 'Hi' }] as const;
    const prompt = '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n';
    expect(template?.render({ messages, addGenerationPrompt: true })).toBe(prompt);
    const templateVariables = { enable_thinking: false };
    expect(template?.render({ messages, addGenerationPrompt: true, templateVariables })).toBe(
      `${prompt}<think>\n\n</think>\n\n`,
    );
  });
});

it('the command writes the geometry that is asked for', async () => {
  const storeDir = join(tempDir(), 'store');
  const cacheDir = join(tempDir(), 'cache');
  const argv = ['synth', '--preset', 'demo', '--layers', '3', '--bits', '16', storeDir];
  const command = ExpertmeshProcess.start(argv, ['env', `EXPERTMESH_CACHE_DIR=${cacheDir}`]);
  expect(await command.exited()).toBe(0);
  expect(command.output).toMatch(/^Wrote .*store: .* MB in 389 blobs\.\n$/);
  const store = await openExpertStore(storeDir);
  expect([store.spec.numLayers, store.spec.numExperts, store.quantisation.bits]).toEqual([3, 128, 16]);
  // The record of what needs no verification any more.
  expect(readdirSync(cacheDir)).not.toEqual([]);
});

it.each([
  ['--layers', '0'],
  ['--bits', '5'],
  ['--preset', 'qwen2'],
])('the command refuses %s %s as wrong usage', async (flag, value) => {
  const preset = flag === '--preset' ? [] : ['--preset', 'demo'];
  const command = ExpertmeshProcess.start(['synth', ...preset, flag, value, join(tempDir(), 'store')]);
  expect(await command.exited()).toBe(2);
  expect(command.output).toContain(`argument '${value}' is invalid. It must be`);
});
