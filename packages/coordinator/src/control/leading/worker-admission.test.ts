import { describe, expect, it } from 'vitest';
import { setUpPlaced } from '@expertmesh/test-kit/leading-cluster';

describe('WorkerAdmission', () => {
  it('lets workers be removed that hold nothing or are away, and remembers which process that was', async () => {
    const { store, known, admission, up } = await setUpPlaced();
    expect(() => {
      admission.requireRemovable('a');
    }).toThrow('drain it first');
    expect(() => {
      admission.requireRemovable('x');
    }).toThrow('there is no worker x');
    known.apply({ type: 'down', workerId: 'a', reason: 'no answer' });
    admission.requireRemovable('a');
    up('d');
    admission.requireRemovable('d');
    await admission.set('d', 'removed');
    expect(store.admissions.untilRestart).toEqual({ d: 'boot-1' });
    await admission.set('d', 'accepting');
    expect(store.admissions).toMatchObject({ workers: {}, untilRestart: {} });
  });

  it('lets a removed worker be named until it is forgotten, and keeps which process was removed', async () => {
    const { known, store, admission, up, pass } = await setUpPlaced();
    up('d');
    await admission.set('d', 'removed');
    known.apply({ type: 'forgotten', workerId: 'd' });
    admission.requireRemovable('d');
    await admission.set('d', 'removed');
    expect(store.admissions.untilRestart).toEqual({ d: 'boot-1' });
    admission.requireKnown('d');
    await admission.set('d', 'accepting');
    await pass(1_000);
    expect(store.admissions).toMatchObject({ workers: {}, untilRestart: {} });
    expect(() => {
      admission.requireKnown('d');
    }).toThrow('there is no worker d');
  });

  it('takes another process in the place of a removed worker for a new worker', async () => {
    const { known, admission, up, pass } = await setUpPlaced();
    up('d');
    await admission.set('d', 'removed');
    await pass(1_000);
    expect(admission.of('d')).toBe('removed');
    known.apply({ type: 'down', workerId: 'd', reason: 'no answer' });
    up('d', 12, [], 'boot-2');
    await pass(1_000);
    expect(admission.of('d')).toBe('accepting');
    await admission.set('d', 'removed');
    await pass(1_000);
    expect(admission.of('d')).toBe('removed');
  });

  it('gives experts again to a worker that was drained to be started again, once it has been', async () => {
    const { store, known, admission, held, up, pass } = await setUpPlaced();
    await admission.set('a', 'draining', true);
    await pass(1_000);
    expect(held('a')).toBe(0);
    expect(admission.of('a')).toBe('drained');
    await pass(5_000);
    expect(held('a')).toBe(0);
    known.apply({ type: 'down', workerId: 'a', reason: 'no answer' });
    up('a', 12, [], 'boot-2');
    await pass(1_000);
    expect(admission.of('a')).toBe('accepting');
    expect(held('a')).toBeGreaterThan(0);
    const version = store.inForce?.version ?? 0;
    expect(store.document(version)?.reason).toBe('a: started again after a drain');
  });

  it('keeps all that is said of workers at the same time', async () => {
    const { admission } = await setUpPlaced();
    await Promise.all([admission.set('a', 'cordoned'), admission.set('b', 'draining'), admission.set('c', 'cordoned')]);
    expect(['a', 'b', 'c'].map((workerId) => admission.of(workerId))).toEqual(['cordoned', 'draining', 'cordoned']);
    await Promise.all([admission.set('a', 'accepting'), admission.set('c', 'accepting')]);
    expect(['a', 'b', 'c'].map((workerId) => admission.of(workerId))).toEqual(['accepting', 'draining', 'accepting']);
  });

  it('forgets removed workers that have been gone for ten minutes on end', async () => {
    const { known, store, admission, up, pass } = await setUpPlaced();
    up('d');
    await admission.set('d', 'removed');
    await pass(600_000);
    known.apply({ type: 'forgotten', workerId: 'd' });
    await pass(300_000);
    up('d');
    await pass(1_000);
    known.apply({ type: 'forgotten', workerId: 'd' });
    await pass(599_000);
    expect(store.admissions.workers).toEqual({ d: 'removed' });
    await pass(2_000);
    expect(store.admissions).toMatchObject({ workers: {}, untilRestart: {} });
  });

  it('forgets workers that were cordoned or drained only when they have been gone for a week', async () => {
    const { clock, known, store, admission, up, pass } = await setUpPlaced();
    for (const workerId of ['d', 'e']) up(workerId);
    await admission.set('d', 'cordoned');
    await admission.set('e', 'drained');
    for (const workerId of ['d', 'e']) known.apply({ type: 'forgotten', workerId });
    await pass(1_000);
    clock.advance(6 * 24 * 3_600_000);
    await pass(1_000);
    expect(store.admissions.workers).toEqual({ d: 'cordoned', e: 'drained' });
    clock.advance(24 * 3_600_000);
    await pass(1_000);
    expect(store.admissions.workers).toEqual({});
  });
});
