import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BlockTable } from '@expertmesh/coordinator/kv/block-table';
import { type ForwardPass } from '@expertmesh/coordinator/engine/forward';
import { type WeightBits } from '@expertmesh/shared/expert-store/quantisation';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';
import { startWorkers, type WorkerFleet } from '@expertmesh/test-kit/worker-fleet';
import {
  closeStore,
  loadStore,
  modelOverWorkers,
  modelWithLocalExperts,
  packedStore,
  type LoadedStore,
} from './model-under-test.js';

const HF_DIR = join(import.meta.dirname, '../../models/qwen3-moe-demo');
const MAX_WORKERS = 5;
const NUM_PROMPTS = 9;

/** Of different lengths; as many tokens of each answer as make the rows of a draft. */
const sequences = loadDemoAnswers()
  .slice(0, NUM_PROMPTS)
  .map(({ promptTokenIds, answerTokenIds }) => [...promptTokenIds, ...answerTokenIds.slice(0, 24)]);

/** A digest of the bits of all logits of a sequence, [tokens, vocab]. */
type Bits = string;

function bitsOf(logits: readonly Float32Array[]): Bits {
  const hash = createHash('sha256');
  for (const part of logits) hash.update(part);
  return hash.digest('hex');
}

/** One sequence by itself, in pieces of so many tokens. */
async function inPieces(
  forward: ForwardPass,
  loaded: LoadedStore,
  tokenIds: readonly number[],
  size: number,
): Promise<Bits> {
  const table = loaded.createCache();
  const parts: Float32Array[] = [];
  for (let start = 0; start < tokenIds.length; start += size) {
    const piece = tokenIds.slice(start, start + size);
    parts.push((await logitsOf(forward, [table], [piece]))[0] ?? new Float32Array());
  }
  table.truncate(0);
  return bitsOf(parts);
}

async function together(
  forward: ForwardPass,
  loaded: LoadedStore,
  all: readonly (readonly number[])[],
): Promise<Bits[]> {
  const tables = all.map(() => loaded.createCache());
  const logits = await logitsOf(forward, tables, all);
  for (const table of tables) table.truncate(0);
  return logits.map((part) => bitsOf([part]));
}

async function logitsOf(
  forward: ForwardPass,
  tables: readonly BlockTable[],
  pieces: readonly (readonly number[])[],
): Promise<Float32Array[]> {
  const chunks = pieces.map((tokenIds, index) => {
    const table = tables[index];
    if (table === undefined) throw new Error('a piece has no cache');
    table.reserve(tokenIds.length);
    return { cache: table, tokenIds, numLogits: tokenIds.length };
  });
  const results = await forward.run(chunks);
  return chunks.map((chunk) => {
    const result = results.get(chunk);
    if (result?.ok !== true) throw result?.error ?? new Error('no result');
    chunk.cache.advance(chunk.tokenIds.length);
    return result.logits.slice();
  });
}

describe.each<WeightBits>([4, 8, 32])('logits with %i bits', (bits) => {
  let loaded: LoadedStore;
  let fleet: WorkerFleet;
  let expected: Bits[];

  beforeAll(async () => {
    const store = await packedStore(HF_DIR, bits);
    loaded = await loadStore(store, 'native', { numerics: 'invariant' });
    fleet = await startWorkers(store.dir, MAX_WORKERS);
    const { forward, close } = await modelWithLocalExperts(loaded, () => undefined);
    expected = [];
    for (const tokenIds of sequences) expected.push(await inPieces(forward, loaded, tokenIds, tokenIds.length));
    await close();
  });
  afterAll(async () => {
    await closeStore(loaded);
    await fleet.stop();
  });

  it.each([0, 1, 2, 3, 5])(
    'are bit for bit the same with %i workers, alone, together, and in pieces',
    async (numWorkers) => {
      const { forward, close } =
        numWorkers === 0
          ? await modelWithLocalExperts(loaded, () => undefined)
          : await modelOverWorkers(loaded, fleet, numWorkers, () => undefined);
      try {
        expect(await together(forward, loaded, sequences)).toEqual(expected);
        for (const [index, tokenIds] of sequences.slice(0, 2).entries())
          for (const size of [1, 4, 7, 16])
            expect(await inPieces(forward, loaded, tokenIds, size)).toEqual(expected[index]);
      } finally {
        await close();
      }
    },
  );
});
