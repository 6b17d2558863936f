import { type KeyValue } from '@expertmesh/shared/control-plane/control-plane';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { createLogger } from '@expertmesh/shared/process/logger';
import { beforeEach, describe, expect, it } from 'vitest';
import { settle } from '@expertmesh/test-kit/settle';
import { AuditTrail } from './audit-trail.js';

const record = (timeMs: number, actor = 'me'): AuditRecord => AuditRecord.create({ timeMs, actor });
const times = (trail: AuditTrail): number[] => trail.newest(1000).map(({ timeMs }) => timeMs);
const numbers = (length: number, first = 1): number[] => Array.from({ length }, (_, index) => first + index);

describe('AuditTrail', () => {
  let bucket: KeyValue;
  beforeEach(() => {
    bucket = new EmbeddedControlPlane(createLogger({ name: 'test', level: 'silent' })).placement;
  });

  /** A coordinator's trail, which hears of what is there from now on. */
  async function open(disk = new Map<string, Uint8Array>()) {
    const trail = new AuditTrail(bucket, {
      write: (key, value) => disk.set(key, value),
      delete: (key) => disk.delete(key),
    });
    for (const [key, value] of [...disk]) trail.restore(key, value);
    const stop = bucket.watch({
      onEntry: ({ key, value }) => {
        trail.hear(key, value);
      },
      onDelete: (key) => {
        trail.forget(key);
      },
    });
    await settle();
    return { trail, disk, stop };
  }

  it('keeps the last 200 records, newest first, on all coordinators, their disks and the control plane', async () => {
    const [writer, other] = [await open(), await open()];
    for (const timeMs of numbers(203)) {
      writer.trail.add(record(timeMs));
      await writer.trail.publish();
    }
    expect(await bucket.get('audit/3')).toBeDefined();
    await other.trail.prune();
    expect(await bucket.get('audit/3')).toBeUndefined();
    const kept = numbers(200, 4).reverse();
    for (const { trail, disk } of [writer, other, await open()]) {
      expect(times(trail)).toEqual(kept);
      expect(disk.size).toBe(200);
    }
    expect(times((await open(writer.disk)).trail)).toEqual(kept);
  });

  it('keeps its own record when somebody else has taken the number, heard of or not', async () => {
    const [deaf, hearing, other] = [await open(), await open(), await open()];
    deaf.stop();
    for (const { trail } of [deaf, hearing]) trail.add(record(trail === deaf.trail ? 1 : 2));
    other.trail.add(record(3, 'somebody else'));
    await other.trail.publish();
    expect(times(hearing.trail)).toEqual([3, 2]);
    await deaf.trail.publish();
    await hearing.trail.publish();
    await settle();
    for (const { trail } of [hearing, other, await open()]) expect(times(trail)).toEqual([3, 2, 1]);
  });

  it('puts back what the control plane has lost, beside what others have written there since', async () => {
    const { trail } = await open();
    for (const timeMs of [1, 2]) trail.add(record(timeMs));
    await trail.publish();
    for (const key of ['audit/1', 'audit/2']) await bucket.delete(key);
    await bucket.create('audit/1', new TextEncoder().encode(JSON.stringify(record(3, 'somebody else'))));
    await settle();
    await trail.publish();
    expect(times((await open()).trail)).toEqual([3, 2, 1]);
  });

  it('says so when a record could not be written, and keeps it here and on disk', async () => {
    const { trail, disk } = await open();
    trail.add(record(1));
    bucket.create = () => Promise.resolve(undefined);
    await expect(trail.publish()).rejects.toThrow('other coordinators keep writing audit records');
    expect([times(trail), disk.size]).toEqual([[1], 1]);
  });

  it('does not count the same record twice when another coordinator has given it a new number', async () => {
    const { trail } = await open();
    trail.add(record(1));
    for (const [number, known] of [
      [1, record(2)],
      [7, record(1)],
    ] as const)
      await bucket.create(`audit/${String(number)}`, new TextEncoder().encode(JSON.stringify(known)));
    await settle();
    await trail.publish();
    expect(times((await open()).trail)).toEqual([2, 1]);
  });

  it('cuts texts that the control plane would not take, also those on disk', async () => {
    const disk = new Map([['audit/1', new TextEncoder().encode(JSON.stringify(record(1, 'x'.repeat(2_000_000))))]]);
    const [{ trail }, other] = [await open(disk), await open()];
    trail.add({ ...record(2), outcome: 'y'.repeat(2_000_000) });
    await trail.publish();
    await settle();
    for (const known of [trail, other.trail, (await open()).trail]) {
      expect(known.newest(10).map(({ actor, outcome }) => [actor.length, outcome.length])).toEqual([
        [2, 2_000],
        [2_000, 0],
      ]);
    }
  });

  it('passes over what is no audit record', async () => {
    await bucket.create('audit/1', new TextEncoder().encode('{'));
    await bucket.create('audit/x', new TextEncoder().encode('{}'));
    const { trail } = await open();
    trail.add(record(1));
    await trail.publish();
    expect(times(trail)).toEqual([1]);
    expect(await bucket.get('audit/2')).toBeDefined();
  });
});
