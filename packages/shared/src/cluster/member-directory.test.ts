import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { settle } from '@expertmesh/test-kit/settle';
import { SwitchableControlPlane } from '@expertmesh/test-kit/switchable-control-plane';
import { EmbeddedControlPlane } from '../control-plane/embedded-control-plane.js';
import { createLogger } from '../process/logger.js';
import { WORKER_KEY_PREFIX, workerKey } from './cluster-keys.js';
import { MemberDirectory, type MemberEvent } from './member-directory.js';
import { encodeWorkerRecord, parseWorkerRecord, type WorkerRecord } from './member-record.js';

const logger = createLogger({ name: 'test', level: 'silent' });

const recordOf = (workerId: string, heartbeat: number, change: Partial<WorkerRecord> = {}): WorkerRecord => ({
  formatVersion: 1,
  workerId,
  bootId: `boot of ${workerId}`,
  heartbeat,
  controlAddress: `${workerId}:9101`,
  storeId: 'store',
  failureDomain: 'rack',
  ...change,
});

describe('MemberDirectory', () => {
  let clock: DrivenClock;
  let shared: EmbeddedControlPlane;
  let controlPlane: SwitchableControlPlane;
  let directory: MemberDirectory<WorkerRecord>;
  let events: string[];
  const beat = async (workerId: string, heartbeat: number, change: Partial<WorkerRecord> = {}): Promise<void> => {
    await shared.workers.put(workerKey(workerId), encodeWorkerRecord(recordOf(workerId, heartbeat, change)));
    await settle();
  };
  const silent = (): readonly string[] =>
    directory.members().flatMap(({ memberId, isSilent }) => (isSilent ? [memberId] : []));

  beforeEach(async () => {
    clock = new DrivenClock();
    shared = new EmbeddedControlPlane(logger);
    controlPlane = new SwitchableControlPlane(shared);
    events = [];
    await beat('early', 7);
    directory = new MemberDirectory({
      controlPlane,
      bucket: controlPlane.workers,
      keyPrefix: WORKER_KEY_PREFIX,
      parse: parseWorkerRecord,
      onEvent: (event) => events.push(brief(event)),
      logger,
      clock,
    });
    expect(events).toEqual([]);
    await settle();
  });
  afterEach(() => {
    directory.close();
    expect(clock.numTimers).toBe(0);
  });

  it('knows who was there before and who comes, in the order of their ids', async () => {
    await beat('b', 1);
    await beat('a', 1);
    await shared.workers.put('coordinator/c', Buffer.from('{}'));
    expect(events).toEqual(['added early', 'added b', 'added a']);
    expect(directory.members().map(({ memberId }) => memberId)).toEqual(['a', 'b', 'early']);
    expect(directory.get('a')?.record.controlAddress).toBe('a:9101');
    expect(directory.get('nobody')).toBeUndefined();
  });

  it('tells what has changed, and takes a heartbeat alone for no news', async () => {
    await beat('early', 8);
    expect(events).toEqual(['added early']);
    expect(directory.get('early')?.record.heartbeat).toBe(8);
    await beat('early', 1, { bootId: 'boot 2' });
    expect(events.at(-1)).toBe('changed early from boot of early to boot 2');
  });

  it('tells once when a heartbeat has not changed for 5 s, and again when it does', async () => {
    clock.advance(4_500);
    expect(silent()).toEqual([]);
    clock.advance(500);
    expect(silent()).toEqual(['early']);
    clock.advance(60_000);
    expect(events).toEqual(['added early', 'silent early']);
    await beat('early', 8);
    expect(silent()).toEqual([]);
    expect(events.at(-1)).toBe('changed early from boot of early to boot of early');
  });

  it('takes a record that is put again without another heartbeat for a ghost', async () => {
    for (let second = 0; second < 5; second++) {
      clock.advance(1_000);
      await beat('early', 7);
    }
    expect(silent()).toEqual(['early']);
  });

  it('tells who has signed off', async () => {
    await shared.workers.delete(workerKey('early'));
    await settle();
    expect(events).toEqual(['added early', 'gone early']);
    expect(directory.members()).toEqual([]);
  });

  it('passes over broken records, and those of another release', async () => {
    await shared.workers.put(workerKey('broken'), Buffer.from('{"formatVersion":1}'));
    await shared.workers.put(workerKey('newer'), Buffer.from('{"formatVersion":2}'));
    await shared.workers.put(workerKey('early'), Buffer.from('no JSON'));
    await settle();
    expect(events).toEqual(['added early']);
    expect(directory.get('early')?.record.heartbeat).toBe(7);
    await beat('broken', 1);
    expect(events).toEqual(['added early', 'added broken']);
  });

  it('lets nobody fall silent or go while the control plane is away, and gives everybody time after that', async () => {
    await beat('late', 1);
    controlPlane.cut();
    clock.advance(60_000);
    expect(silent()).toEqual([]);
    await controlPlane.mend();
    clock.advance(4_500);
    await beat('early', 8);
    expect(silent()).toEqual([]);
    clock.advance(500);
    expect(silent()).toEqual(['late']);
  });

  it('keeps members whose records the control plane has lost, if they put them again', async () => {
    await beat('late', 1);
    controlPlane.cut();
    for (const workerId of ['early', 'late']) await shared.workers.delete(workerKey(workerId));
    await controlPlane.mend();
    clock.advance(1_000);
    await beat('early', 8);
    expect(events).toEqual(['added early', 'added late']);
    clock.advance(4_000);
    expect(events).toEqual(['added early', 'added late', 'gone late']);
    expect(silent()).toEqual([]);
  });

  it('takes no silence from a time when its own process stood still', async () => {
    clock.block(20_000);
    clock.advance(0);
    expect(silent()).toEqual([]);
    clock.advance(4_000);
    await beat('early', 8);
    clock.advance(4_500);
    expect(silent()).toEqual([]);
    clock.advance(500);
    expect(silent()).toEqual(['early']);
  });
});

function brief(event: MemberEvent<WorkerRecord>): string {
  if (event.type === 'gone') return `gone ${event.memberId}`;
  const { memberId, record } = event.member;
  return event.type === 'changed'
    ? `changed ${memberId} from ${event.previous.record.bootId} to ${record.bootId}`
    : `${event.type} ${memberId}`;
}
