import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { describe, expect, it } from 'vitest';
import { type LayerCall } from './expert-dispatcher.js';
import { routePairs, type RoutingTask } from './route-pairs.js';

const NUM_CASES = 500;

/** A random layer call over a random placement; every expert has one to three replicas. */
function randomTask(seed: number): RoutingTask {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const numWorkers = 1 + below(9);
  const numExperts = 4 + below(29);
  const topK = 1 + below(4);
  const numRows = 1 + below(random() < 0.2 ? 300 : 8);
  const distinct = (count: number, limit: number): number[] => {
    const chosen = new Set<number>();
    while (chosen.size < Math.min(count, limit)) chosen.add(below(limit));
    return [...chosen].sort((a, b) => a - b);
  };
  const owners = Array.from({ length: numExperts }, () => distinct(1 + below(3), numWorkers));
  const call: LayerCall = {
    layerIndex: 0,
    numRows,
    topK,
    rows: new Float32Array(numRows),
    expertIds: Int32Array.from(Array.from({ length: numRows }, () => distinct(topK, numExperts)).flat()),
    routingWeights: new Float32Array(numRows * topK),
  };
  return {
    call,
    numExperts,
    pairs: [...call.expertIds.keys()].filter(() => random() < 0.9),
    replicasOf: (expertId) => owners[expertId] ?? [],
    costs: Array.from({ length: numWorkers }, () => ({
      secondsPerActiveExpert: random() * 200e-6,
      secondsPerToken: 1e-6 + random() * 20e-6,
    })),
    recentPairSeconds: Array.from({ length: numWorkers }, () => random() * 1e-2),
  };
}

const expertOf = ({ call, pairs }: RoutingTask, index: number): number => call.expertIds[pairs[index] ?? 0] ?? 0;

/** [workers] a x active experts + b x pairs. */
function secondsOf(task: RoutingTask, workerOfPair: ArrayLike<number>): number[] {
  const active = task.costs.map(() => new Set<number>());
  const numPairs = task.costs.map(() => 0);
  for (let index = 0; index < workerOfPair.length; index++) {
    const worker = workerOfPair[index] ?? 0;
    active[worker]?.add(expertOf(task, index));
    numPairs[worker] = (numPairs[worker] ?? 0) + 1;
  }
  return task.costs.map(
    ({ secondsPerActiveExpert, secondsPerToken }, worker) =>
      secondsPerActiveExpert * (active[worker]?.size ?? 0) + secondsPerToken * (numPairs[worker] ?? 0),
  );
}

describe('routePairs, over random calls, placements and costs', () => {
  const tasks = Array.from({ length: NUM_CASES }, (_, seed) => randomTask(seed));

  it('gives every pair to one of the replicas of its expert', () => {
    for (const task of tasks) {
      const { workerOfPair } = routePairs(task);
      expect(workerOfPair).toHaveLength(task.pairs.length);
      workerOfPair.forEach((worker, index) => {
        if (!task.replicasOf(expertOf(task, index)).includes(worker)) expect.fail(`pair ${String(index)} is elsewhere`);
      });
    }
  });

  it('counts the pairs of each worker by its speed', () => {
    for (const task of tasks) {
      const { workerOfPair, pairSeconds } = routePairs(task);
      for (const [worker, seconds] of pairSeconds.entries()) {
        const { secondsPerActiveExpert = 0, secondsPerToken = 0 } = task.costs[worker] ?? {};
        const numPairs = workerOfPair.filter((chosen) => chosen === worker).length;
        expect(seconds).toBeCloseTo(numPairs * (secondsPerActiveExpert + secondsPerToken), 12);
      }
    }
  });

  it('decides the same each time', () => {
    for (const task of tasks.slice(0, 50)) expect(routePairs(task)).toEqual(routePairs(task));
  });

  it('is on average at least a fifth faster than always taking the first replica', () => {
    let [routed, first] = [0, 0];
    for (const task of tasks) {
      const firsts = Array.from(task.pairs, (_, index) => task.replicasOf(expertOf(task, index))[0] ?? 0);
      routed += Math.max(...secondsOf(task, routePairs(task).workerOfPair));
      first += Math.max(...secondsOf(task, firsts));
    }
    expect(routed).toBeLessThan(0.8 * first);
  });
});
