import { type PlanWorker } from '@expertmesh/shared/placement/plan-cluster';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { expect, it } from 'vitest';
import { irreplaceableWorkers } from './irreplaceable.js';

/** Two layers of four experts: a has 0 and 1, b has 2 and 3, c has 3 as well. */
const placement: Placement = {
  version: 1,
  numExperts: 4,
  workerIds: ['a', 'b', 'c'],
  replicas: new Map([0, 1].map((layerIndex) => [layerIndex, [[0], [0], [1], [1, 2]]])),
};

const cluster = (
  fitting: Readonly<Record<string, number>>,
  states: Partial<Record<string, PlanWorker['state']>> = {},
) => ({
  expertSizeBytes: 100,
  secondsPerRow: 0,
  workers: Object.entries(fitting).map(([workerId, numReplicas]) => ({
    workerId,
    memoryBudgetBytes: numReplicas * 100 + 50,
    secondsPerActiveExpert: 1,
    secondsPerToken: 1,
    failureDomain: workerId,
    state: states[workerId] ?? 'accepting',
  })),
});

const irreplaceable = (fitting: Record<string, number>, away: readonly string[] = [], states = {}): string[] =>
  irreplaceableWorkers(placement, cluster(fitting, states), (workerId) => !away.includes(workerId));

it('names nobody whose experts fit elsewhere', () => {
  expect(irreplaceable({ a: 6, b: 6, c: 4 })).toEqual([]);
  expect(irreplaceable({ a: 4, b: 4, c: 2, spare: 4 })).toEqual([]);
});

it('names those whose own experts do not, and not who has copies alone', () => {
  expect(irreplaceable({ a: 4, b: 4, c: 2 })).toEqual(['a', 'b']);
  // b alone has two experts, a has four.
  expect(irreplaceable({ a: 4, b: 4, c: 2, spare: 3 })).toEqual(['a']);
});

it('counts no room of workers that are away or take nothing', () => {
  expect(irreplaceable({ a: 4, b: 4, c: 2, spare: 8 }, ['spare'])).toEqual(['a', 'b']);
  expect(irreplaceable({ a: 4, b: 4, c: 2, spare: 8 }, [], { spare: 'cordoned' })).toEqual(['a', 'b']);
});

it('counts what is lost already', () => {
  // With c away, b has expert 3 alone, too: four replicas; with a away, all of a and b are to find a place.
  expect(irreplaceable({ a: 6, b: 4, c: 2 }, ['c'])).toEqual(['a', 'b']);
  expect(irreplaceable({ a: 8, b: 8, c: 2 }, ['c'])).toEqual([]);
  expect(irreplaceable({ a: 4, b: 8, c: 2 }, ['a'])).toEqual(['b']);
});
