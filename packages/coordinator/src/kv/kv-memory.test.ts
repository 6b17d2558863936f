import { loadKernels } from '@expertmesh/kernels/kernels';
import { BLOCK_TOKENS } from '@expertmesh/kernels/kv-layout';
import { KV_DTYPES, type KvDtype } from '@expertmesh/shared/config/kv-dtype';
import { describe, expect, it } from 'vitest';
import { Fp32Rows } from './fp32-rows.js';
import { KvMemory } from './kv-memory.js';

const spec = { numLayers: 2, numKvHeads: 3, headDim: 10 };
const KV_SIZE = spec.numKvHeads * spec.headDim;
/** Rounding of each dtype, as a share of the largest value of a row. */
const STEP: Record<KvDtype, number> = { fp32: 0, fp16: 2 ** -11, int8: 0.5 / 127 };

function memoryOf(dtype: KvDtype, numBlocks: number): KvMemory {
  const { blockBytes } = new KvMemory({ spec, dtype, budgetBytes: 1 << 20 });
  return new KvMemory({ spec, dtype, budgetBytes: numBlocks * blockBytes + 1 });
}

/** fp32 [tokens, kv heads * head_dim] that name their token and place. */
const rowsFrom = (first: number, count: number): Float32Array =>
  Float32Array.from({ length: count * KV_SIZE }, (_, i) => Math.sin(first * KV_SIZE + i));

describe('KvMemory', () => {
  it('has as many whole blocks as the budget allows', () => {
    expect(memoryOf('fp16', 7).numBlocks).toBe(7);
    expect(() => memoryOf('fp16', 0)).toThrow('less than one block of 32 tokens');
  });

  it('copies blocks and writes them back as bytes, and touches no other', () => {
    const memory = memoryOf('int8', 4);
    const bytes = Uint8Array.from({ length: memory.blockBytes }, (_, i) => i % 251);
    memory.writeBlock(1, bytes);
    memory.copyBlock(1, 3);
    expect(memory.readBlock(3)).toEqual(bytes);
    expect(memory.readBlock(1)).toEqual(bytes);
    for (const id of [0, 2]) expect(memory.readBlock(id).every((byte) => byte === 0)).toBe(true);
  });

  it.each([-1, 4, 1.5, NaN])('refuses block %d of 4, and bytes of another size', (id) => {
    const memory = memoryOf('fp32', 4);
    expect(() => memory.readBlock(id)).toThrow('there is no KV block');
    expect(() => {
      memory.writeBlock(0, new Uint8Array(3));
    }).toThrow('bytes, not 3');
  });
});

describe('Fp32Rows', () => {
  it.each(KV_DTYPES)('gives back what was written, token by token and in chunks: %s', (dtype) => {
    const memory = memoryOf(dtype, 6);
    const rows = new Fp32Rows(memory);
    const blockIds = Int32Array.of(4, 0, 3);
    // What another sequence has left there.
    for (let id = 0; id < memory.numBlocks; id++) memory.readBlock(id).fill(0xff);
    let position = 0;
    for (const numRows of [1, 1, 40, 1, 30]) {
      const k = rowsFrom(position, numRows);
      const v = k.map((x) => -x);
      for (let layer = 0; layer < spec.numLayers; layer++)
        rows.write(layer, { blockIds, position }, k, v, { rowIndex: 0, numRows });
      position += numRows;
    }
    const { keys, values, capacity } = rows.gather(1, blockIds, position);
    expect(capacity).toBe(3 * BLOCK_TOKENS);
    const expected = rowsFrom(0, position);
    for (let head = 0; head < spec.numKvHeads; head++)
      for (let token = 0; token < capacity; token++)
        for (let dim = 0; dim < spec.headDim; dim++) {
          const at = (head * capacity + token) * spec.headDim + dim;
          const value = token < position ? (expected[(token * spec.numKvHeads + head) * spec.headDim + dim] ?? NaN) : 0;
          expect(Math.abs((keys[at] ?? NaN) - value)).toBeLessThanOrEqual(STEP[dtype] * 1.01);
          expect(Math.abs((values[at] ?? NaN) + value)).toBeLessThanOrEqual(STEP[dtype] * 1.01);
        }
  });

  it('reads the rows that it is asked for, of several sequences', () => {
    const memory = memoryOf('fp32', 2);
    const rows = new Fp32Rows(memory);
    const k = rowsFrom(0, 3);
    rows.write(0, { blockIds: Int32Array.of(1), position: 0 }, k, k, { rowIndex: 2, numRows: 1 });
    const { keys } = rows.gather(0, Int32Array.of(1), 1);
    expect([...keys.subarray(0, spec.headDim)]).toEqual([...k.subarray(2 * KV_SIZE, 2 * KV_SIZE + spec.headDim)]);
  });
});

describe.skipIf(loadKernels() === undefined)('KvMemory for the kernels', () => {
  it('starts where vectors do not cross cache lines', () => {
    const kernels = loadKernels();
    if (kernels === undefined) throw new Error('no kernels');
    const memory = new KvMemory({ spec, dtype: 'fp16', budgetBytes: 1 << 20, kernels });
    expect(kernels.bytesToBorder(memory.readBlock(0))).toBe(0);
    expect(memory.pool).toBeDefined();
  });
});
