import { workerKey } from '@expertmesh/shared/cluster/cluster-keys';
import { encodeWorkerRecord } from '@expertmesh/shared/cluster/member-record';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { afterEach, describe, expect, it } from 'vitest';
import { settle } from '@expertmesh/test-kit/settle';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { type WorkerEvent } from '../../membership/worker-event.js';
import { Membership } from './membership.js';
import { connectionOpeners } from '../../serving/connection-openers.js';

const logger = createLogger({ name: 'test', level: 'silent' });

const opened: Membership[] = [];
afterEach(() => {
  for (const membership of opened.splice(0)) membership.close();
});

/** Nobody listens at these addresses: what counts is whom it tries to reach. */
function setUpUnstarted(kind: ControlPlane['kind']) {
  const embedded = new EmbeddedControlPlane(logger);
  const { workers, placement, leader } = embedded;
  const controlPlane: ControlPlane = {
    kind,
    workers,
    placement,
    leader,
    state: 'connected',
    onState: () => () => undefined,
    publish: () => undefined,
    subscribe: () => () => undefined,
    close: () => embedded.close(),
  };
  const events: WorkerEvent[] = [];
  const membership = new Membership({
    staticAddresses: kind === 'nats' ? [] : [{ host: '127.0.0.1', port: 1 }],
    controlPlane,
    storeId: 'store-1',
    heartbeatIntervalMs: 500,
    heartbeatTimeoutMs: 1_000,
    onEvent: (event) => events.push(event),
    logger,
    clock: new DrivenClock(),
    random: () => 0,
    openClient: connectionOpeners(undefined, new DrivenClock()).openClient,
  });
  opened.push(membership);
  const register = (workerId: string, bootId = 'boot-1', port = 1): Promise<number> => {
    const controlAddress = `127.0.0.1:${String(port)}`;
    const record = {
      formatVersion: 1,
      workerId,
      bootId,
      heartbeat: 1,
      controlAddress,
      storeId: 's',
      failureDomain: 'd',
    } as const;
    return workers.put(workerKey(workerId), encodeWorkerRecord(record));
  };
  const watched = (): string[] => membership.pool.status().map(({ workerId }) => workerId);
  return { membership, workers, register, watched, events };
}

function setUp(kind: ControlPlane['kind']) {
  const all = setUpUnstarted(kind);
  all.membership.start();
  return all;
}

describe('Membership', () => {
  it('of a static cluster is the list', () => {
    const { membership, watched } = setUp('embedded');
    expect(watched()).toEqual(['127.0.0.1:1']);
    expect(membership.has('127.0.0.1:1')).toBe(true);
  });

  it('takes a removed worker of the list in again when that is taken back', () => {
    const { membership, watched, events } = setUp('embedded');
    membership.setAdmissions({ workers: { '127.0.0.1:1': 'removed' }, untilRestart: {} });
    expect(watched()).toEqual([]);
    expect(events.at(-1)).toEqual({ type: 'forgotten', workerId: '127.0.0.1:1' });
    membership.setAdmissions({ workers: {}, untilRestart: {} });
    expect(watched()).toEqual(['127.0.0.1:1']);
  });

  it('reaches nobody before it is started, nor after it is closed, whatever it hears', async () => {
    for (const kind of ['embedded', 'nats'] as const) {
      const { membership, register, watched, events } = setUpUnstarted(kind);
      await register('w1');
      await settle();
      membership.setPlaced(['w1']);
      expect(watched()).toEqual([]);
      membership.start();
      const members = watched();
      expect(members).toHaveLength(1);
      membership.close();
      membership.setPlaced(['w1', 'w2']);
      membership.setAdmissions({ workers: { w1: 'cordoned' }, untilRestart: {} });
      expect(membership.has('w2')).toBe(false);
      expect([watched(), events]).toEqual([members, []]);
    }
  });

  it('follows the records of the control plane', async () => {
    const { membership, workers, register, watched } = setUp('nats');
    await register('w1');
    await register('w2', 'boot-1', 2);
    await settle();
    expect(watched()).toEqual(['w1', 'w2']);
    expect(membership.controlAddress('w2')).toEqual({ host: '127.0.0.1', port: 2 });
    await workers.delete(workerKey('w2'));
    await settle();
    expect(watched()).toEqual(['w1']);
    expect(membership.has('w2')).toBe(false);
    expect(membership.controlAddress('w2')).toBeUndefined();
  });

  it('keeps those that the placement names, whether or not they have a record', async () => {
    const { membership, workers, register, watched, events } = setUp('nats');
    await register('w1');
    await settle();
    membership.setPlaced(['w1', 'w9', 'local']);
    await workers.delete(workerKey('w1'));
    await settle();
    expect(watched()).toEqual(['w1']);
    expect(membership.known.list().map(({ workerId, state }) => `${workerId} ${state}`)).toEqual([
      'w1 away',
      'w9 away',
    ]);
    membership.setPlaced([]);
    expect(membership.known.list()).toEqual([]);
    expect(events.slice(-2).map(({ type, workerId }) => `${workerId} ${type}`)).toEqual([
      'w1 forgotten',
      'w9 forgotten',
    ]);
  });

  it('forgets a removed worker, until another process comes under its name', async () => {
    const { membership, register, watched, events } = setUp('nats');
    await register('w1');
    await settle();
    membership.setAdmissions({ workers: { w1: 'removed' }, untilRestart: { w1: 'boot-1' } });
    expect(watched()).toEqual([]);
    expect(events.at(-1)).toEqual({ type: 'forgotten', workerId: 'w1' });
    await register('w1', 'boot-2');
    await settle();
    expect(watched()).toEqual(['w1']);
  });
});
