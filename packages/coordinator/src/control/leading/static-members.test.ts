import { describe, expect, it } from 'vitest';
import { fixedPlacement, isUsableWith } from './static-members.js';

const model = { layerIndices: [0], numExperts: 4 };
const workers = [
  { host: 'a', port: 9101 },
  { host: 'b', port: 9101 },
];
const config = {
  natsUrl: undefined,
  workers,
  localExperts: false,
  placementPolicy: 'contiguous',
  redundantExperts: 0,
  survive: 0,
  minWorkers: 3,
} as const;

describe('fixedPlacement', () => {
  it('splits the experts evenly over the list, the coordinator itself first', () => {
    expect(fixedPlacement(config, model, 5).fixed).toMatchObject({ version: 5, workerIds: ['a:9101', 'b:9101'] });
    const { fixed } = fixedPlacement({ ...config, localExperts: true }, model, 1);
    expect(fixed?.workerIds).toEqual(['local', 'a:9101', 'b:9101']);
  });

  it("has a placement that is to be another planned when all workers are up, from the coordinator's own share", () => {
    expect(fixedPlacement({ ...config, redundantExperts: 2 }, model, 1)).toEqual({
      fixed: undefined,
      planFrom: undefined,
      minWorkers: 2,
    });
    const local = fixedPlacement({ ...config, localExperts: true, placementPolicy: 'balanced' }, model, 1);
    expect(local.planFrom?.workerIds).toEqual(['local', 'a:9101', 'b:9101']);
  });

  it('waits for --min-workers with NATS', () => {
    const nats = { ...config, natsUrl: 'nats://n:4222', workers: [] };
    expect(fixedPlacement(nats, model, 1)).toEqual({ fixed: undefined, planFrom: undefined, minWorkers: 3 });
  });
});

describe('isUsableWith', () => {
  const placement = (workerIds: string[]) => ({ version: 1, numExperts: 0, workerIds, replicas: new Map() });

  it('takes what was remembered for exactly the members that there are', () => {
    const isUsable = isUsableWith(config);
    expect(isUsable(placement(['b:9101', 'a:9101']))).toBe(true);
    expect(isUsable(placement(['a:9101']))).toBe(false);
    expect(isUsable(placement(['a:9101', 'c:9101']))).toBe(false);
    expect(isUsableWith({ ...config, localExperts: true })(placement(['a:9101', 'b:9101']))).toBe(false);
  });

  it('takes any with NATS but one of a coordinator with experts of its own', () => {
    const isUsable = isUsableWith({ ...config, natsUrl: 'nats://n:4222', workers: [] });
    expect([isUsable(placement(['x'])), isUsable(placement(['local']))]).toEqual([true, false]);
  });
});
