import { describe, expect, it } from 'vitest';
import { BLOCK_SIZES, type BlockSize } from '../quantisation.js';
import { quantise } from './quantise.js';

interface Quantised {
  readonly integers: readonly number[];
  readonly scales: Float32Array;
  readonly values: Float32Array;
}

/** Quantises and reads back by the definition: weight = scale * (q - 2^(bits-1)). */
function roundTrip(values: Float32Array, bits: 4 | 8, blockSize: BlockSize): Quantised {
  const q = new Uint8Array((values.length * bits) / 8);
  const scales = new Float32Array(values.length / blockSize);
  quantise(values, bits, blockSize, q, scales);
  const unpacked = bits === 8 ? [...q] : [...q].flatMap((byte) => [byte & 15, byte >> 4]);
  const integers = unpacked.map((stored) => stored - 2 ** (bits - 1));
  return {
    integers,
    scales,
    values: Float32Array.from(integers, (n, i) => n * (scales[Math.floor(i / blockSize)] ?? 0)),
  };
}

const squaredError = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, x, i) => sum + (x - (b[i] ?? 0)) ** 2, 0);

/** llama.cpp's Q4_0 with an fp32 scale, for one block. */
function q4_0(block: Float32Array): Float32Array {
  const extreme = block.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
  const scale = Math.fround(extreme / -8);
  return block.map((x) => (scale === 0 ? 0 : scale * (Math.min(15, Math.floor(x / scale + 8.5)) - 8)));
}

/** Reproducible values of many kinds of distribution: normal, heavy-tailed, lopsided, sparse, of any magnitude. */
function* sampleBlocks(blockSize: number): Generator<Float32Array> {
  let state = 1;
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const kinds = [normal, () => normal() ** 3, uniform, () => -uniform(), () => (uniform() < 0.1 ? normal() : 0)];
  for (let i = 0; i < 500; i++) {
    const magnitude = 10 ** (60 * uniform() - 25);
    const next = kinds[i % kinds.length] ?? normal;
    yield Float32Array.from({ length: blockSize }, () => next() * magnitude);
  }
}

describe.each(BLOCK_SIZES)('blocks of %d', (blockSize) => {
  it('with 8 bits errs by at most half a step, and reaches the largest value', () => {
    for (const block of sampleBlocks(blockSize)) {
      const { scales, values, integers } = roundTrip(block, 8, blockSize);
      const [scale = NaN] = scales;
      const worst = Math.max(...values.map((value, i) => Math.abs(value - (block[i] ?? NaN))));
      expect(worst).toBeLessThanOrEqual(0.5001 * scale);
      if (scale > 0) expect(Math.max(...integers.map(Math.abs))).toBe(127);
    }
  });

  it('with 4 bits never errs more than Q4_0 over a block', () => {
    for (const block of sampleBlocks(blockSize)) {
      const { values, integers } = roundTrip(block, 4, blockSize);
      expect(squaredError(values, block)).toBeLessThanOrEqual(1.00001 * squaredError(q4_0(block), block));
      expect(integers.every((n) => n >= -8 && n <= 7)).toBe(true);
    }
  });

  it('with 4 bits errs clearly less than Q4_0 over normal weights', () => {
    let error = 0;
    let errorOfQ4 = 0;
    for (const [i, block] of [...sampleBlocks(blockSize)].entries()) {
      if (i % 5 !== 0) continue;
      const normed = block.map((x) => x / Math.max(...block.map(Math.abs)));
      error += squaredError(roundTrip(normed, 4, blockSize).values, normed);
      errorOfQ4 += squaredError(q4_0(normed), normed);
    }
    expect(Math.sqrt(error / errorOfQ4)).toBeLessThan(0.97);
  });

  it('stores a block of zeros, and one of negligible values, as zeros with scale 0', () => {
    for (const bits of [4, 8] as const) {
      const zeros = roundTrip(new Float32Array(2 * blockSize).fill(-0).fill(1e-40, blockSize), bits, blockSize);
      expect(zeros.scales).toEqual(new Float32Array(2));
      expect(zeros.integers.every((n) => n === 0)).toBe(true);
    }
  });
});

it('keeps integers times a power of two exactly, block by block', () => {
  const values = Float32Array.from({ length: 64 }, (_, i) => ((i % 16) - 8) * (i < 32 ? 0.25 : -4));
  const { values: restored, scales } = roundTrip(values, 4, 32);
  expect(restored).toEqual(values);
  expect([...scales]).toEqual([0.25, -4]);
});

it('puts the earlier of two 4-bit values in the low nibble', () => {
  const q = new Uint8Array(16);
  quantise(
    Float32Array.from({ length: 32 }, (_, i) => (i === 0 ? -8 : i === 1 ? 7 : 0)),
    4,
    32,
    q,
    new Float32Array(1),
  );
  expect(q[0]).toBe(0xf0);
  expect(q[1]).toBe(0x88);
});
