import { type Placement } from '@expertmesh/shared/placement/placement';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { DispatchSimulation } from '@expertmesh/shared/routing-trace/dispatch-simulation';
import { expect, it } from 'vitest';
import { ReplicaRouter } from '../dispatch/replica-router.js';
import { type DispatchPart } from '../dispatch/route-plan.js';

const [NUM_EXPERTS, TOP_K, MAX_ROWS] = [16, 4, 1000];

/** Each expert on one to three of the workers. */
function randomPlacement(random: () => number, numWorkers: number, mostReplicas: number): Placement {
  const replicas = Array.from({ length: NUM_EXPERTS }, () => {
    const holders = new Set<number>();
    const numReplicas = 1 + Math.floor(random() * Math.min(mostReplicas, numWorkers));
    while (holders.size < numReplicas) holders.add(Math.floor(random() * numWorkers));
    return [...holders].sort((a, b) => a - b);
  });
  const workerIds = Array.from({ length: numWorkers }, (_, w) => `w${String(w)}`);
  return { version: 1, numExperts: NUM_EXPERTS, workerIds, replicas: new Map([[5, replicas]]) };
}

function randomRows(random: () => number, numRows: number): Int32Array {
  return Int32Array.from(
    Array.from({ length: numRows }, () => {
      const ids = new Set<number>();
      while (ids.size < TOP_K) ids.add(Math.floor(random() ** 2 * NUM_EXPERTS));
      return [...ids];
    }).flat(),
  );
}

const sums = (parts: readonly DispatchPart[], numWorkers: number, of: (part: DispatchPart) => number): number[] =>
  Array.from({ length: numWorkers }, (_, w) =>
    parts.filter(({ workerIndex }) => workerIndex === w).reduce((sum, part) => sum + of(part), 0),
  );

it('a replay gives every worker what dispatch would give it, call after call', () => {
  const random = seededRandom(6);
  let numChoices = 0;
  for (let trial = 0; trial < 200; trial++) {
    const numWorkers = 1 + Math.floor(random() * 5);
    const placement = randomPlacement(random, numWorkers, trial % 4 === 0 ? 1 : 3);
    const costs = placement.workerIds.map(() => ({
      secondsPerActiveExpert: 1e-4 * (0.5 + random()),
      secondsPerToken: 1e-5 * (0.5 + random()),
    }));
    const router = new ReplicaRouter(
      placement,
      new Map(placement.workerIds.map((id, w) => [id, costs[w] ?? costs[0]] as never)),
    );
    const simulation = new DispatchSimulation(placement, costs, [5], TOP_K);
    numChoices += [...placement.replicas.values()].flat().filter((holders) => holders.length > 1).length;
    for (let step = 0; step < 30; step++) {
      const numRows = 1 + Math.floor(random() * 40);
      const expertIds = randomRows(random, numRows);
      const call = {
        layerIndex: 5,
        numRows,
        topK: TOP_K,
        rows: new Float32Array(),
        expertIds,
        routingWeights: new Float32Array(expertIds.length),
      };
      const parts = router.plan(call, MAX_ROWS);
      const simulated = simulation.pass(0, Uint8Array.from(expertIds));
      expect([...simulated.tokens]).toEqual(sums(parts, numWorkers, (part) => part.expertIds.length));
      expect([...simulated.rows]).toEqual(sums(parts, numWorkers, (part) => part.rowIndices.length));
      expect([...simulated.activeExperts]).toEqual(sums(parts, numWorkers, (part) => new Set(part.expertIds).size));
    }
  }
  expect(numChoices).toBeGreaterThan(500);
});
