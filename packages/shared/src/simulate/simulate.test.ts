import { describe, expect, it } from 'vitest';
import { PRESET_CONFIGS } from '../expert-store/synth/presets.js';
import { parseModelSpec } from '../model/model-spec.js';
import { seededRandom } from '../random/seeded-random.js';
import { calibrate } from './calibration.js';
import { recordedRoutes, uniformRoutes } from './route-source.js';
import { sharedCoresSeconds } from './shared-cores.js';
import { type SimulatedBox } from './simulated-box.js';
import { simulatedModel } from './simulated-model.js';
import { simulateCluster, type SimulationOptions } from './simulate-cluster.js';

const spec = parseModelSpec({ ...PRESET_CONFIGS['qwen3-30b-a3b'], num_hidden_layers: 12 });
const model = simulatedModel(spec, { bits: 4, blockSize: 128 });

const box = (boxId: string, memoryBytes = 64e9): SimulatedBox => ({
  boxId,
  memoryBytes,
  memoryBytesPerSecond: 40e9,
  numCores: 8,
});

const setting = (numBoxes: number, batchSize = 1): SimulationOptions => ({
  model,
  boxes: Array.from({ length: numBoxes }, (_, index) => box(`box-${String(index)}`)),
  network: { bytesPerSecond: 1.25e9, roundTripSeconds: 1e-4 },
  routes: uniformRoutes(model, batchSize),
  batchSize,
  rowBytes: 2 * model.hiddenSize,
  policy: 'contiguous',
  redundantExperts: 0,
  survive: 0,
});

describe('simulateCluster', () => {
  it('knows how many workers a token needs with uniform routing', () => {
    const expected = (numBoxes: number): number => numBoxes * (1 - (1 - 1 / numBoxes) ** 8);
    for (const numBoxes of [4, 8]) {
      const { step } = simulateCluster(setting(numBoxes));
      // Eight different experts spread a little more than eight independent ones.
      expect(step.workersPerToken / expected(numBoxes)).toBeGreaterThan(0.99);
      expect(step.workersPerToken / expected(numBoxes)).toBeLessThan(1.03);
      expect(step.wireBytesPerToken).toBeCloseTo(12 * 2 * step.workersPerToken * 4096, 3);
    }
  });

  it('adds a step up from its parts', () => {
    const { step } = simulateCluster(setting(4, 16));
    const { dense, compute, overhead, network } = step.layer;
    expect(step.stepSeconds).toBeCloseTo(12 * (dense + compute + overhead + network) + step.headSeconds, 12);
    expect(step.tokensPerSecond).toBeCloseTo(16 / step.stepSeconds, 9);
  });

  it('computes faster with more boxes, and tells when one alone would be faster', () => {
    const [one, eight] = [simulateCluster(setting(1)), simulateCluster(setting(8))];
    expect(eight.step.layer.compute).toBeLessThan(one.step.layer.compute);
    const farAway = { ...setting(8), network: { bytesPerSecond: 1.25e8, roundTripSeconds: 2e-3 } };
    const { step, oneBox } = simulateCluster(farAway);
    expect(oneBox?.step.tokensPerSecond).toBeGreaterThan(step.tokensPerSecond);
  });

  it('does not make local workers faster than the cores that they share', () => {
    const local = (sameBoxWorkers: number) => simulateCluster({ ...setting(1, 16), sameBoxWorkers });
    const [one, four] = [local(1), local(4)];
    expect(four.step.layer.compute).toBeGreaterThanOrEqual(one.step.layer.compute);
    expect(four.step.layer.network).toBe(0);
  });

  it('says what is missing when the model does not fit', () => {
    const small = { ...setting(2), boxes: [box('box-0', 3e9), box('box-1', 1e9)] };
    expect(() => simulateCluster(small)).toThrow(/short by/);
    expect(() => simulateCluster({ ...small, boxes: [box('box-0', 0.2e9)] })).toThrow(/the dense part needs .* GB/);
    expect(simulateCluster({ ...setting(3), boxes: ['a', 'b', 'c'].map((id) => box(id, 3e9)) }).oneBox).toBeUndefined();
  });

  it('predicts what was measured of the cluster that it was calibrated with', () => {
    const options = { ...setting(1), sameBoxWorkers: 2 };
    const measured = { dense: 0.5e-3, compute: 0.9e-3, overhead: 0.4e-3, stepSeconds: 30e-3 };
    const scale = calibrate(measured, simulateCluster(options).step, 12);
    const { step } = simulateCluster({ ...options, scale });
    expect(step.stepSeconds).toBeCloseTo(measured.stepSeconds, 9);
    expect(step.layer.compute).toBeCloseTo(measured.compute, 9);
  });
});

describe('sharedCoresSeconds', () => {
  it.each([
    [[2], 4, 4, 2],
    // One thread of four cores takes four times as long.
    [[2], 4, 1, 8],
    // Two workers with half of the cores each.
    [[1, 1], 2, 1, 2],
    // The longer one does not get the cores of the one that has ended.
    [[1, 2], 2, 1, 4],
    // Four workers on two cores share them, and the last is alone with one thread.
    [[1, 1, 1, 2], 2, 1, 6],
    [[], 2, 1, 0],
  ])('works %j on %d cores with %d threads each end after %d s', (works, numCores, numThreads, seconds) => {
    expect(sharedCoresSeconds(works, numCores, numThreads)).toBeCloseTo(seconds, 12);
  });
});

describe('recordedRoutes', () => {
  it('draws rows that were next to each other, around the end', () => {
    const tiny = { ...model, layerIndices: [0], numExperts: 4, topK: 1 };
    const routes = recordedRoutes(tiny, [Uint16Array.of(0, 1, 2)], 2);
    expect(routes.loads.layers[0]?.tokens).toEqual(Float64Array.of(2 / 3, 2 / 3, 2 / 3, 0));
    expect([...routes.draw(0, 2, () => 0.99)]).toEqual([2, 0]);
  });
});

it('draws distinct experts uniformly', () => {
  const routes = uniformRoutes(model, 1);
  const ids = routes.draw(0, 1000, seededRandom(3));
  const counts = new Float64Array(128);
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1;
  for (let row = 0; row < 1000; row++) expect(new Set(ids.subarray(8 * row, 8 * row + 8)).size).toBe(8);
  expect(Math.max(...counts)).toBeLessThan(62.5 * 1.5);
});
