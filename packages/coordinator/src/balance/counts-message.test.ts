import { CountSums } from '@expertmesh/shared/balance/count-sums';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { describe, expect, it } from 'vitest';
import { decodeCounts, encodeCounts } from './counts-message.js';

const shape = { layerIndices: [0, 2, 3], numExperts: 6, topK: 2 };

function randomSums(seed: number, ofShape = shape): CountSums {
  const random = seededRandom(seed);
  const sums = new CountSums(ofShape);
  const fill = (values: Float64Array, largest: number): void => {
    for (let i = 0; i < values.length; i++) values[i] = random() < 0.5 ? 0 : Math.floor(largest ** random());
  };
  fill(sums.tokens, 2 ** 40);
  fill(sums.activeSteps, 300);
  fill(sums.coactivations, 70_000);
  for (let i = 0; i < sums.probabilitySums.length; i++) sums.probabilitySums[i] = Math.fround(9 * random());
  sums.addSteps(12, 345);
  const { tokens, rows } = sums.worker('w-1');
  tokens.set([1, 2, 3]);
  rows.set([3, 2, 1]);
  return sums;
}

const values = (sums: CountSums): unknown => [
  sums.numRows,
  sums.numSteps,
  ...[sums.tokens, sums.activeSteps, sums.coactivations, sums.probabilitySums].map((array) => [...array]),
  [...sums.workers],
];

describe('counts as messages', () => {
  it('come out as they went in, with who sent them', () => {
    for (let seed = 0; seed < 100; seed++) {
      const sums = randomSums(seed);
      const [message = new Uint8Array(), ...more] = encodeCounts(sums, 'store', 'boot', 7);
      const decoded = new CountSums(shape);
      expect(decodeCounts(message, 'store', decoded)).toEqual({ bootId: 'boot', sequence: 7 });
      expect(values(decoded)).toEqual(values(sums));
      expect(more).toEqual([]);
    }
  });

  it('stay below 1 MB for 94 layers x 128 experts, and add up to the whole', () => {
    const large = { layerIndices: Array.from({ length: 94 }, (_, i) => i), numExperts: 128, topK: 8 };
    const sums = randomSums(1, large);
    sums.worker('w-1').tokens.fill(5);
    const messages = encodeCounts(sums, 'store', 'boot', 1);
    expect(messages.length).toBeGreaterThan(1);
    expect(Math.max(...messages.map(({ length }) => length))).toBeLessThan(1_000_000);
    const total = new CountSums(large);
    const sources = messages.map((message) => decodeCounts(message, 'store', total));
    expect(sources.map(({ sequence }) => sequence)).toEqual(messages.map((_, i) => 1 + i));
    expect(values(total)).toEqual(values(sums));
  });

  it('are refused when they are of another store, shape or version', () => {
    const [message = new Uint8Array()] = encodeCounts(randomSums(1), 'store', 'boot', 1);
    const decode = (bytes: Uint8Array, storeId = 'store', ofShape = shape) =>
      decodeCounts(bytes, storeId, new CountSums(ofShape));
    expect(() => decode(message, 'other')).toThrow(/store other/);
    expect(() => decode(message, 'store', { ...shape, topK: 3 })).toThrow(/one cluster name per store/);
    const next = message.slice();
    next[4] = 2;
    expect(() => decode(next)).toThrow(/version 2/);
  });

  it('are never more than what was sent, however they are cut', () => {
    const [message = new Uint8Array()] = encodeCounts(randomSums(3), 'store', 'boot', 1);
    for (let length = 0; length < message.length; length++)
      expect(() => decodeCounts(message.subarray(0, length), 'store', new CountSums(shape))).toThrow(
        expect.objectContaining({ code: 'data_loss' }) as Error,
      );
    expect(() => decodeCounts(Buffer.concat([message, Buffer.of(0)]), 'store', new CountSums(shape))).toThrow(
      /too long/,
    );
  });
});
