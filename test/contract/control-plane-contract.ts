import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ControlPlane, type KeyValue } from '@expertmesh/shared/control-plane/control-plane';
import { bytes, RecordingWatch, texts } from '@expertmesh/test-kit/recording-watch';
import { eventually } from '@expertmesh/test-kit/eventually';

/**
 * What every control plane does, whatever carries it. `open` gives one that is connected and that no test has written
 * to.
 */
export function describeControlPlane(name: string, open: () => Promise<ControlPlane>): void {
  describe(name, () => {
    let controlPlane: ControlPlane;
    let keyValue: KeyValue;
    beforeEach(async () => {
      controlPlane = await open();
      keyValue = controlPlane.placement;
    });
    afterEach(() => controlPlane.close());

    describe('a key', () => {
      it('has no entry until it is written, and then the newest value', async () => {
        expect(await keyValue.get('document/1')).toBeUndefined();
        const first = await keyValue.put('document/1', bytes('a'));
        const second = await keyValue.put('document/1', bytes('b'));
        expect(second).toBeGreaterThan(first);
        expect(await keyValue.get('document/1')).toEqual({ key: 'document/1', value: bytes('b'), revision: second });
      });

      it('is any text', async () => {
        const keys = ['', '.', 'a.b', 'worker/box-1.lan:9101', '*', '>', 'größe 1', '=41', 'a/../b', '日本'];
        for (const key of keys) await keyValue.put(key, bytes(`of ${key}`));
        for (const key of keys) expect((await keyValue.get(key))?.value).toEqual(bytes(`of ${key}`));
        const watch = new RecordingWatch();
        keyValue.watch(watch);
        await watch.current;
        expect(watch.told).toEqual(keys.map((key) => `${key}=of ${key}`));
      });

      it('is refused when it is too long, and so is a value', async () => {
        const invalid = { code: 'invalid_argument' };
        await expect(keyValue.put('k'.repeat(201), bytes('a'))).rejects.toMatchObject(invalid);
        await expect(keyValue.put('k', new Uint8Array(1_000_001))).rejects.toMatchObject(invalid);
        const largest = new Uint8Array(1_000_000).fill(7);
        const revision = (await keyValue.create('k'.repeat(200), largest)) ?? 0;
        expect(await keyValue.update('k'.repeat(200), largest, revision)).toBeGreaterThan(revision);
        const kept = (await keyValue.get('k'.repeat(200)))?.value ?? new Uint8Array();
        expect(Buffer.compare(kept, largest)).toBe(0);
      });
    });

    describe('create', () => {
      it('succeeds once, for one of many', async () => {
        const created = await Promise.all(Array.from({ length: 8 }, (_, i) => keyValue.create('a', bytes(String(i)))));
        expect(created.filter((revision) => revision !== undefined)).toHaveLength(1);
        const winner = created.findIndex((revision) => revision !== undefined);
        expect((await keyValue.get('a'))?.value).toEqual(bytes(String(winner)));
      });

      it('succeeds again after the key was deleted', async () => {
        const first = (await keyValue.create('a', bytes('1'))) ?? 0;
        await keyValue.delete('a');
        expect(await keyValue.get('a')).toBeUndefined();
        expect(await keyValue.create('a', bytes('2'))).toBeGreaterThan(first + 1);
      });
    });

    describe('update', () => {
      it('succeeds for the newest revision alone', async () => {
        const first = await keyValue.put('a', bytes('1'));
        const second = await keyValue.update('a', bytes('2'), first);
        expect(second).toBeGreaterThan(first);
        expect(await keyValue.update('a', bytes('late'), first)).toBeUndefined();
        expect((await keyValue.get('a'))?.value).toEqual(bytes('2'));
      });

      it('succeeds for one of many', async () => {
        const revision = await keyValue.put('a', bytes('0'));
        const attempts = Array.from({ length: 8 }, (_, i) => keyValue.update('a', bytes(String(i)), revision));
        expect((await Promise.all(attempts)).filter((updated) => updated !== undefined)).toHaveLength(1);
      });

      it('does not bring a deleted key back', async () => {
        const revision = await keyValue.put('a', bytes('1'));
        await keyValue.delete('a');
        expect(await keyValue.update('a', bytes('2'), revision)).toBeUndefined();
        expect(await keyValue.get('a')).toBeUndefined();
      });
    });

    describe('watch', () => {
      it('tells what is there, that this was all, and then every change', async () => {
        await keyValue.put('a', bytes('1'));
        await keyValue.put('b', bytes('1'));
        await keyValue.delete('b');
        const watch = new RecordingWatch();
        keyValue.watch(watch);
        expect(watch.told).toEqual([]);
        await watch.current;
        expect(watch.told).toEqual(['a=1']);
        await keyValue.put('c', bytes('1'));
        await keyValue.put('a', bytes('2'));
        await keyValue.delete('a');
        await eventually(() => expect(watch.told).toEqual(['a=1', 'c=1', 'a=2', 'a deleted']));
        expect(watch.numCurrent).toBe(1);
      });

      it('tells an empty bucket', async () => {
        const watch = new RecordingWatch();
        keyValue.watch(watch);
        await watch.current;
        expect(watch.told).toEqual([]);
      });

      it('tells several listeners, each from its own beginning to its own end, though one of them fails', async () => {
        const failing = { onEntry: () => thrown(), onDelete: () => thrown() };
        const early = new RecordingWatch();
        const late = new RecordingWatch();
        keyValue.watch(failing);
        const stopEarly = keyValue.watch(early);
        await early.current;
        await keyValue.put('a', bytes('1'));
        await eventually(() => expect(early.told).toEqual(['a=1']));
        keyValue.watch(late);
        await late.current;
        stopEarly();
        await keyValue.put('a', bytes('2'));
        await eventually(() => expect(late.told).toEqual(['a=1', 'a=2']));
        expect(early.told).toEqual(['a=1']);
      });

      it('gives revisions that compare-and-set accepts', async () => {
        const revision = await keyValue.put('a', bytes('1'));
        const watch = new RecordingWatch();
        keyValue.watch(watch);
        await watch.current;
        expect(watch.revisions).toEqual([revision]);
        expect((await keyValue.get('a'))?.revision).toBe(revision);
        expect(await keyValue.update('a', bytes('2'), watch.revisions[0] ?? 0)).toBeGreaterThan(revision);
      });

      it('hears nothing of other buckets', async () => {
        const watch = new RecordingWatch();
        controlPlane.workers.watch(watch);
        await watch.current;
        await keyValue.put('a', bytes('1'));
        await controlPlane.leader.put('a', bytes('1'));
        await controlPlane.workers.put('last', bytes('1'));
        await eventually(() => expect(watch.told).toEqual(['last=1']));
      });
    });

    describe('messages', () => {
      it('reach every subscriber of their subject, this process included', async () => {
        const received: string[] = [];
        const subscribe = (subject: string): (() => void) =>
          controlPlane.subscribe(subject, (payload, from) => received.push(`${subject}: ${from} ${texts(payload)}`));
        subscribe('loads');
        subscribe('loads.*');
        const stop = subscribe('*');
        controlPlane.publish('loads', bytes('1'));
        controlPlane.publish('loads.a', bytes('2'));
        controlPlane.publish('loads.a.b', bytes('3'));
        const expected = ['loads: loads 1', '*: loads 1', 'loads.*: loads.a 2'].sort();
        await eventually(() => expect([...received].sort()).toEqual(expected));
        stop();
        controlPlane.publish('loads', bytes('4'));
        await eventually(() => expect(received).toContain('loads: loads 4'));
        expect(received).not.toContain('*: loads 4');
      });
    });

    it('refuses calls after it was closed', async () => {
      await controlPlane.close();
      expect(controlPlane.state).toBe('away');
      await expect(keyValue.get('a')).rejects.toMatchObject({ code: 'unavailable' });
      await expect(keyValue.put('a', bytes('1'))).rejects.toMatchObject({ code: 'unavailable' });
      controlPlane.publish('loads', bytes('1'));
    });
  });
}

function thrown(): never {
  throw new Error('a listener that fails');
}
