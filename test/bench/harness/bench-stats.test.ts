import { expect, it } from 'vitest';
import { readBenchStats, statsBetween } from './bench-stats.js';

const worker = (numCalls: number) => ({ workerId: 'w', numCalls, sentBytes: 10 * numCalls, receivedBytes: numCalls });

it('subtracts two readings, sums over workers', () => {
  const layerTimes = { numLayers: 3, dense: 30, serialise: 1, wire: 2, wait: 3, compute: 4, combine: 5 };
  const before = readBenchStats({ engine: {}, cluster: { dispatch: { workers: [worker(1)] } } });
  const after = readBenchStats({ engine: { layerTimes }, cluster: { dispatch: { workers: [worker(4), worker(2)] } } });
  expect(statsBetween(before, after)).toMatchObject({
    numCalls: 5,
    wireBytes: 55,
    numLayers: 3,
    stageUs: { dense: 30, combine: 5 },
  });
});

it('takes counters that a coordinator lacks as 0', () => {
  expect(readBenchStats({ engine: {}, cluster: {} })).toMatchObject({
    numLayers: 0,
    wireBytes: 0,
    numDraftedTokens: 0,
  });
});
