import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded-random.js';
import { CountSums } from './count-sums.js';
import { RouteCounts, RouteTally } from './route-counts.js';

const shape = { layerIndices: [1, 4], numExperts: 9, topK: 3 };

/** A pass through both layers: expert ids of each row. */
function randomPass(random: () => number, numRows: number): number[][][] {
  return shape.layerIndices.map(() =>
    Array.from({ length: numRows }, () => {
      const ids = new Set<number>();
      while (ids.size < shape.topK) ids.add(Math.floor(random() * shape.numExperts));
      return [...ids];
    }),
  );
}

describe('RouteTally', () => {
  it('counts what counting one by one gives, over many passes', () => {
    const random = seededRandom(1);
    const [counts, tally, sums] = [new RouteCounts(shape), new RouteTally(shape), new CountSums(shape)];
    const passes = Array.from({ length: 200 }, () => randomPass(random, 1 + Math.floor(random() * 6)));
    for (const layers of passes) {
      for (const [layer, rows] of layers.entries()) tally.add(counts, layer, Int32Array.from(rows.flat()));
      counts.addSteps(1, layers[0]?.length ?? 0);
    }
    sums.add(counts, new Map());

    expect(counts.numSteps).toBe(200);
    expect(counts.numRows).toBe(passes.reduce((total, [rows = []]) => total + rows.length, 0));
    for (const [layer] of shape.layerIndices.entries()) {
      const square = sums.symmetricCoactivations(layer);
      for (let expertId = 0; expertId < shape.numExperts; expertId++) {
        const ofExpert = passes.map((layers) => (layers[layer] ?? []).filter((ids) => ids.includes(expertId)));
        const entry = layer * shape.numExperts + expertId;
        expect(counts.tokens[entry]).toBe(ofExpert.reduce((total, rows) => total + rows.length, 0));
        expect(counts.activeSteps[entry]).toBe(ofExpert.filter((rows) => rows.length > 0).length);
        for (let other = 0; other < shape.numExperts; other++) {
          const together = ofExpert.flat().filter((ids) => other !== expertId && ids.includes(other)).length;
          expect(square[expertId * shape.numExperts + other]).toBe(together);
        }
      }
    }
  });

  it('estimates co-activations of large passes from a sample that stands for all rows', () => {
    const random = seededRandom(3);
    for (const numRows of [33, 100, 1000]) {
      const [counts, tally, exact] = [new RouteCounts(shape), new RouteTally(shape), new RouteCounts(shape)];
      for (let pass = 0; pass < 200; pass++) {
        const [rows = []] = randomPass(random, numRows);
        tally.add(counts, 0, Int32Array.from(rows.flat()));
        for (const ids of rows) tally.add(exact, 0, Int32Array.from(ids));
      }
      expect([...counts.tokens]).toEqual([...exact.tokens]);
      const sum = (values: Uint32Array): number => values.reduce((total, value) => total + value, 0);
      expect(sum(counts.coactivations)).toBe(200 * numRows * 3);
      for (const [entry, count] of exact.coactivations.entries())
        expect(Math.abs((counts.coactivations[entry] ?? 0) - count)).toBeLessThanOrEqual(0.2 * count);
    }
  });

  it('leaves everything in one buffer, which another thread can read and clear', () => {
    const [counts, tally] = [new RouteCounts(shape), new RouteTally(shape)];
    tally.add(counts, 1, Int32Array.of(0, 5, 8));
    counts.addSteps(1, 1);
    counts.probabilitySums[3] = 0.5;
    const moved = new RouteCounts(shape, structuredClone(counts.buffer, { transfer: [counts.buffer] }));
    expect([...moved.tokens].flatMap((count, entry) => (count > 0 ? [entry] : []))).toEqual([9, 14, 17]);
    expect([moved.numRows, moved.numSteps, moved.probabilitySums[3]]).toEqual([1, 1, 0.5]);
    moved.clear();
    expect([moved.numRows, moved.probabilitySums[3], Math.max(...moved.tokens, ...moved.coactivations)]).toEqual([
      0, 0, 0,
    ]);
  });
});
