import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { expect, it } from 'vitest';
import { bytesPerStep, expectedActiveExperts, flopsPerPromptToken, storeBytes } from './model-cost.js';
import { spread } from './prediction.js';
import { tokensPerSecond } from './token-rate.js';

const spec = parseModelSpec(PRESET_CONFIGS['qwen3-30b-a3b']);

it('expects 8 of 128 experts for one token and 82 for sixteen', () => {
  expect(expectedActiveExperts(spec, 1)).toBeCloseTo(8, 10);
  expect(expectedActiveExperts(spec, 16)).toBeCloseTo(82.4, 1);
});

it('counts what a decode step reads: everything but the embedding, and the experts that it needs', () => {
  const blob = (path: string, sizeBytes: number) => ({ path, sizeBytes, sha256: '' });
  const blobs = [
    blob('dense/embedding.bin', 1000),
    blob('dense/head.bin', 200),
    blob('experts/layer-000/expert-000.bin', 1600),
  ];
  const bytes = storeBytes({ manifest: { blobs } as never });
  expect(bytes).toEqual({ total: 2800, dense: 200, experts: 1600 });
  expect(bytesPerStep(spec, bytes, 1)).toBeCloseTo(200 + 100, 6);
});

it('counts two operations for each of the 3.0 billion active weights of a 30B-A3B, without embedding and head', () => {
  expect(flopsPerPromptToken(spec) / 2e9).toBeGreaterThan(2.6);
  expect(flopsPerPromptToken(spec) / 2e9).toBeLessThan(3.0);
});

// The table of distinct workers in the arithmetic of the 235B model, whose routing is the same.
it.each([
  [4, 3.63],
  [8, 5.34],
  [16, 6.6],
])('expects a token on %d workers to need %d of them', (numWorkers, expected) => {
  expect(spread(spec, numWorkers, 1).distinctWorkers).toBeCloseTo(expected, 1);
});

it('gives the busiest of 4 workers less of a large batch than of a small one, and never less than a quarter', () => {
  const shares = [1, 16, 256].map((batchSize) => spread(spec, 4, batchSize).busiestShare);
  expect(shares).toEqual(shares.toSorted((a, b) => b - a));
  expect(shares[0]).toBeGreaterThan(0.4);
  expect(shares[2]).toBeCloseTo(0.25, 1);
});

it('counts tokens only while all sequences decode', () => {
  // From 30 to 60 ms both run, and give 3 and 2 tokens.
  const arrivals = [
    [0, 10, 20, 30, 40, 50, 60],
    [30, 45, 60, 75],
  ];
  expect(tokensPerSecond(arrivals)).toBeCloseTo((1000 * 5) / 30, 6);
  expect(() =>
    tokensPerSecond([
      [0, 1],
      [5, 6],
    ]),
  ).toThrow('did not run at the same time');
});
