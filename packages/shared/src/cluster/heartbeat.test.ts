import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { bytes, RecordingWatch } from '@expertmesh/test-kit/recording-watch';
import { settle } from '@expertmesh/test-kit/settle';
import { SwitchableControlPlane } from '@expertmesh/test-kit/switchable-control-plane';
import { EmbeddedControlPlane } from '../control-plane/embedded-control-plane.js';
import { createLogger } from '../process/logger.js';
import { Heartbeat } from './heartbeat.js';

const logger = createLogger({ name: 'test', level: 'silent' });

describe('Heartbeat', () => {
  let clock: DrivenClock;
  let shared: EmbeddedControlPlane;
  let controlPlane: SwitchableControlPlane;
  let heartbeat: Heartbeat;
  let watch: RecordingWatch;

  beforeEach(async () => {
    clock = new DrivenClock();
    shared = new EmbeddedControlPlane(logger);
    controlPlane = new SwitchableControlPlane(shared);
    watch = new RecordingWatch();
    shared.workers.watch(watch);
    const record = (count: number): Uint8Array => bytes(String(count));
    heartbeat = new Heartbeat({ controlPlane, bucket: controlPlane.workers, key: 'worker/a', record, logger, clock });
    await settle();
  });
  afterEach(() => heartbeat.close());

  it('puts the record at once and then every second', async () => {
    expect(watch.told).toEqual(['worker/a=1']);
    clock.advance(999);
    await settle();
    expect(watch.told).toEqual(['worker/a=1']);
    clock.advance(1);
    await settle();
    expect(watch.told).toEqual(['worker/a=1', 'worker/a=2']);
  });

  it('puts it when something in it has changed, however often, once more', async () => {
    heartbeat.beat();
    heartbeat.beat();
    heartbeat.beat();
    await settle();
    expect(watch.told).toEqual(['worker/a=1', 'worker/a=2', 'worker/a=3']);
    clock.advance(999);
    await settle();
    expect(watch.told).toHaveLength(3);
  });

  it('rests while the control plane is away, and puts it as soon as that is back', async () => {
    controlPlane.cut();
    clock.advance(10_000);
    await settle();
    expect(watch.told).toEqual(['worker/a=1']);
    await controlPlane.mend();
    await settle();
    expect(watch.told).toEqual(['worker/a=1', 'worker/a=2']);
  });

  it('takes the record away when it is closed, and beats no more', async () => {
    await heartbeat.close();
    await settle();
    expect(watch.told).toEqual(['worker/a=1', 'worker/a deleted']);
    heartbeat.beat();
    clock.advance(5_000);
    await controlPlane.mend();
    await settle();
    expect(watch.told).toHaveLength(2);
    expect(clock.numTimers).toBe(0);
  });

  it('closes also while the control plane is away', async () => {
    controlPlane.cut();
    await heartbeat.close();
    expect(clock.numTimers).toBe(0);
  });
});
