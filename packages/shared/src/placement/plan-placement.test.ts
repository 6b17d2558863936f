import { describe, expect, it } from 'vitest';
import { equalWorkers, planCluster, planWorker, randomLoads } from '@expertmesh/test-kit/planning-cases';
import { rebalanceExperts } from './eplb.js';
import { type ExpertLoads } from './expert-loads.js';
import { planPlacement } from './plan-placement.js';
import { contiguousPlacement, expertsOf } from './placement.js';

const uniform = (numLayers: number, numExperts: number): ExpertLoads =>
  randomLoads(1, { numLayers, numExperts, topK: 2, rowsPerStep: 4, skew: 0 });

describe('planPlacement', () => {
  it('places contiguously as a cluster starts, so that nothing has to move', () => {
    const loads = uniform(2, 60);
    const previous = contiguousPlacement(4, [0, 1], 60, ['w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6']);
    const plan = planPlacement('contiguous', planCluster(equalWorkers(7, 1000)), loads, { previous });
    expect(plan.placement).toEqual({ ...previous, version: 5 });
    expect(plan.diff).toEqual({ moves: [], numLoads: 0, numDrops: 0, bytesToMove: 0 });
  });

  it('deals experts out in turn, passing over full workers', () => {
    const workers = [planWorker('a', 1), planWorker('b', 3), planWorker('c', 9)];
    const { placement } = planPlacement('round-robin', planCluster(workers), uniform(1, 8));
    expect(placement.replicas.get(0)).toEqual([[0], [1], [2], [1], [2], [1], [2], [2]]);
  });

  it('follows EPLB where that keeps the constraints', () => {
    let numSame = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const loads = randomLoads(seed, { numLayers: 1, numExperts: 32, topK: 4, rowsPerStep: 64, skew: 1 });
      const { physicalToLogical } = rebalanceExperts(
        loads.layers.map(({ tokens }) => tokens),
        40,
        1,
        1,
        8,
      );
      const packs = Array.from({ length: 8 }, (_, w) => physicalToLogical[0]?.slice(w * 5, w * 5 + 5) ?? []);
      if (packs.some((pack) => new Set(pack).size < 5)) continue;
      const plan = planPlacement('eplb', planCluster(equalWorkers(8, 5)), loads, { redundantExperts: 8 });
      const held = packs.map((_, w) => expertsOf(plan.placement, 0, w));
      expect(held).toEqual(packs.map((pack) => pack.toSorted((d, e) => d - e)));
      numSame += 1;
    }
    expect(numSame).toBeGreaterThan(10);
  });

  it('plans for layers without any counts as if they were used uniformly', () => {
    const loads: ExpertLoads = {
      numExperts: 8,
      topK: 2,
      numSteps: 1,
      layers: [{ layerIndex: 3, tokens: new Array<number>(8).fill(0) }],
    };
    const cluster = planCluster([planWorker('slow', 8, 1), planWorker('fast', 8, 3)]);
    const { placement, prediction } = planPlacement('balanced', cluster, loads);
    expect(expertsOf(placement, 3, 0)).toHaveLength(2);
    expect(prediction.capacityWeightedBalancedness.worst).toBeCloseTo(1);
  });

  it('says by how much memory is short', () => {
    const cluster = planCluster(equalWorkers(3, 20));
    expect(() => planPlacement('balanced', cluster, uniform(2, 32))).toThrow(
      'memory budgets of the 3 workers that accept replicas are short by 4.00 MB (4 replicas of 1.00 MB)',
    );
    expect(() => planPlacement('eplb', cluster, uniform(1, 32), { redundantExperts: 30 })).toThrow('short by 2.00 MB');
  });

  it('says how many failure domains are missing, and what memory the others lack', () => {
    const oneBox = planCluster([planWorker('a', 99, 1, 'box'), planWorker('b', 99, 1, 'box')]);
    expect(() => planPlacement('balanced', oneBox, uniform(1, 8), { survive: 1 })).toThrow(
      'surviving 1 failures needs 2 failure domains, and the workers that accept replicas are in 1',
    );
    const small = planCluster([planWorker('a', 99, 1, 'box'), planWorker('b', 5, 1, 'shelf')]);
    expect(() => planPlacement('contiguous', small, uniform(1, 8), { survive: 1 })).toThrow('lack 3.00 MB (3 replicas');
  });

  it('refuses more replicas than workers can hold without having an expert twice', () => {
    const cluster = planCluster(equalWorkers(2, 1000));
    expect(() => planPlacement('balanced', cluster, uniform(1, 8), { redundantExperts: 9 })).toThrow(
      '17 replicas a layer do not fit 2 workers that accept any, since none holds an expert twice: ask for 1 fewer',
    );
  });

  it('refuses to keep on a cordoned worker what it has no room for, and to plan where all are cordoned', () => {
    const previous = contiguousPlacement(1, [0], 8, ['a', 'b']);
    const workers = [{ ...planWorker('a', 3), state: 'cordoned' as const }, planWorker('b', 8)];
    expect(() => planPlacement('balanced', planCluster(workers), uniform(1, 8), { previous })).toThrow(
      'cordoned worker a keeps 4 replicas and has room for 3',
    );
    const cordoned = planCluster(equalWorkers(2, 8).map((worker) => ({ ...worker, state: 'cordoned' as const })));
    expect(() => planPlacement('eplb', cordoned, uniform(1, 8))).toThrow('no worker accepts replicas');
  });

  it.each([
    ['no workers', planCluster([]), uniform(1, 8), {}, 'no workers'],
    ['one id twice', planCluster([planWorker('a', 8), planWorker('a', 8)]), uniform(1, 8), {}, 'same id'],
    ['a free worker', planCluster([planWorker('a', 8, Infinity)]), uniform(1, 8), {}, 'one of them more than 0'],
    ['fractional survivors', planCluster(equalWorkers(2, 8)), uniform(1, 8), { survive: 0.5 }, 'survive is 0.5'],
    [
      'counts of another model',
      planCluster(equalWorkers(2, 8)),
      { ...uniform(1, 8), numExperts: 16 },
      {},
      'must be 16 finite numbers of 0 or more; they are 8',
    ],
  ])('refuses %s', (_, cluster, loads, options, message) => {
    expect(() => planPlacement('balanced', cluster, loads, options)).toThrow(message);
  });
});
