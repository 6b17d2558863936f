import { COORDINATOR_KEY_PREFIX, coordinatorKey } from '@expertmesh/shared/cluster/cluster-keys';
import { encodeCoordinatorRecord, type CoordinatorRecord } from '@expertmesh/shared/cluster/member-record';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { settle } from '@expertmesh/test-kit/settle';
import { Coordinators } from './coordinators.js';

const logger = createLogger({ name: 'test', level: 'silent' });
const load = {
  generationTokensPerSecond: 0,
  promptTokensPerSecond: 0,
  numRunning: 0,
  numWaiting: 0,
  kvCacheUsage: 0,
};

describe('Coordinators', () => {
  let clock: DrivenClock;
  let controlPlane: EmbeddedControlPlane;
  let coordinators: Coordinators;
  let isLeading: boolean;
  /** Another coordinator says what it has applied. */
  const beat = async (heartbeat: number, change: Partial<CoordinatorRecord> = {}): Promise<void> => {
    const coordinatorId = 'other';
    const record = { coordinatorId, bootId: 'boot', adminAddress: 'other:9000', appliedVersion: 3, appliedLayers: 1 };
    const value = encodeCoordinatorRecord({ formatVersion: 1, heartbeat, load, ...record, ...change });
    await controlPlane.workers.put(coordinatorKey(coordinatorId), value);
    await settle();
  };
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      clock.advance(1_000);
      await settle();
    }
  };
  const others = (): string[] =>
    coordinators.list().flatMap(({ record: { coordinatorId } }) => (coordinatorId === 'own' ? [] : [coordinatorId]));

  beforeEach(() => {
    clock = new DrivenClock();
    controlPlane = new EmbeddedControlPlane(logger);
    isLeading = true;
    coordinators = new Coordinators({
      controlPlane,
      identity: { coordinatorId: 'own', bootId: 'boot', adminAddress: 'own:9000' },
      applied: () => ({ version: 3, numLayers: 1 }),
      load: () => load,
      isLeading: () => isLeading,
      logger,
      clock,
    });
  });
  afterEach(async () => {
    await coordinators.close();
    expect(clock.numTimers).toBe(0);
  });

  it('waits for every coordinator that lives, and for none that routes nothing yet', async () => {
    const isApplied = (): boolean => coordinators.isApplied({ version: 3, numLayers: 1 });
    await beat(1);
    expect(isApplied()).toBe(true);
    await beat(2, { appliedLayers: 0 });
    expect(isApplied()).toBe(false);
    await beat(3, { appliedVersion: 0, appliedLayers: 0 });
    expect(isApplied()).toBe(true);
    await beat(4, { appliedVersion: 2 });
    expect(isApplied()).toBe(false);
    await pass(6_000);
    expect(isApplied()).toBe(true);
  });

  it('takes the record of a dead coordinator out after ten minutes, where it leads', async () => {
    isLeading = false;
    await beat(1);
    await pass(700_000);
    expect(others()).toEqual(['other']);
    isLeading = true;
    await pass(30_000);
    expect(others()).toEqual([]);
    expect(await controlPlane.workers.get(coordinatorKey('other'))).toBeUndefined();
    expect(await controlPlane.workers.get(`${COORDINATOR_KEY_PREFIX}own`)).toBeDefined();
    await beat(2);
    await pass(590_000);
    expect(others()).toEqual(['other']);
    await beat(3);
    await pass(590_000);
    expect(others()).toEqual(['other']);
  });
});
