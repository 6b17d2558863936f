import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { WorkerCommand } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { contiguousPlacement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { REPAIR_AFTER_MS, setUpLeader, setUpPlaced } from '@expertmesh/test-kit/leading-cluster';
import { shardsOf } from '../placement/shards.js';

describe('LeaderDuties', () => {
  it('places the experts of a static cluster at once, and that as version 1', async () => {
    const { store, begin, pass, audits } = await setUpLeader({ fixed: contiguousPlacement(1, [0, 1], 8, ['a', 'b']) });
    begin(1);
    await pass(1);
    expect(store.inForce).toMatchObject({ epoch: 1, version: 1 });
    expect(store.document(1)).toMatchObject({
      actor: 'expertmesh',
      policy: 'contiguous',
      reason: 'the first placement',
    });
    expect(audits).toHaveLength(1);
  });

  it('waits for enough workers with enough memory, and says what it waits for', async () => {
    const { store, begin, up, pass, waiting } = await setUpLeader();
    begin(1);
    up('a', 10);
    await pass(1_000);
    expect(waiting.at(-1)).toBe('waiting for workers: 1 of 2 are up');
    up('b', 5);
    await pass(8_000);
    expect(waiting.at(-1)).toMatch(/memory|room|replicas/);
    expect(store.inForce).toBeUndefined();
    up('c', 10);
    await pass(10_000);
    expect(store.inForce?.version).toBe(1);
  });

  it('takes what workers hold for the placement when nobody remembers one', async () => {
    const { store, begin, up, pass } = await setUpLeader();
    const before = contiguousPlacement(9, [0, 1], 8, ['b', 'a']);
    up('a', 12, shardsOf(before, 'a'));
    up('b', 12, shardsOf(before, 'b'));
    begin(1);
    await pass(1);
    expect(store.document(1)?.reason).toBe('what the workers hold');
    expect(store.routing?.workerIds).toEqual(['a', 'b']);
    expect(shardsOf(store.routing ?? before, 'a')).toEqual(shardsOf(before, 'a'));
  });

  it('has the experts of a dead worker loaded elsewhere, and gives it none when it comes back', async () => {
    const { store, known, up, pass, held, audits } = await setUpPlaced();
    expect(held('c')).toBeGreaterThan(0);
    known.apply({ type: 'down', workerId: 'c', reason: 'no answer' });
    await pass(REPAIR_AFTER_MS - 1_000);
    expect(store.inForce?.version).toBe(1);
    await pass(3_000);
    expect(store.inForce?.version).toBe(2);
    expect([held('a') + held('b'), held('c')]).toEqual([16, 0]);
    expect(store.document(2)?.reason).toBe('worker c is dead');
    expect(audits.at(-1)).toMatchObject({ before: 'version 1', after: 'version 2', outcome: 'done' });
    up('c');
    await pass(5_000);
    expect(store.inForce?.version).toBe(2);
  });

  it('says once why experts cannot be loaded elsewhere, and does it as soon as they can', async () => {
    const { store, known, up, pass, held } = await setUpPlaced();
    for (const workerId of ['b', 'c']) known.apply({ type: 'down', workerId, reason: 'no answer' });
    await pass(REPAIR_AFTER_MS + 10_000);
    expect(store.inForce?.version).toBe(1);
    up('d', 20);
    await pass(6_000);
    expect(held('a') + held('d')).toBe(16);
  });

  it('ends a drain that another leader had begun, and marks the worker as drained', async () => {
    const { store, admission, pass, held, audits } = await setUpPlaced();
    await admission.set('a', 'draining');
    await pass(3_000);
    expect(held('a')).toBe(0);
    expect(admission.of('a')).toBe('drained');
    expect(store.document(2)?.reason).toBe('worker a is drained');
    expect(audits.at(-1)).toEqual({
      actor: 'expertmesh',
      action: 'drain worker a',
      before: 'draining',
      after: 'drained',
      outcome: 'done',
    });
  });

  it('repairs again only after a growing time when the repair was taken back', async () => {
    const { known, pass, world, audits, held } = await setUpPlaced();
    world.holdsAll = () => {
      throw new ExpertmeshError('data_loss', 'worker a: a blob is corrupt');
    };
    known.apply({ type: 'down', workerId: 'c', reason: 'no answer' });
    const numRepairs = () => audits.filter(({ outcome }) => outcome.startsWith('rolled back')).length;
    await pass(REPAIR_AFTER_MS + 2_000);
    expect(numRepairs()).toBe(1);
    await pass(5_000);
    expect(numRepairs()).toBe(2);
    await pass(7_000);
    expect(numRepairs()).toBe(2);
    await pass(4_000);
    expect(numRepairs()).toBe(3);
    await pass(600_000);
    expect(numRepairs()).toBeLessThan(10);
    world.holdsAll = () => true;
    await pass(301_000);
    expect(held('a') + held('b')).toBe(16);
  });

  it('gives experts again to a worker that was started again after a drain, as often as it takes', async () => {
    const { admission, pass, held, up, world, audits } = await setUpPlaced();
    await admission.set('a', 'draining', true);
    await pass(3_000);
    expect([held('a'), admission.of('a')]).toEqual([0, 'drained']);
    world.holdsAll = () => {
      throw new ExpertmeshError('data_loss', 'worker a: a blob is corrupt');
    };
    up('a', 12, [], 'boot-2');
    await pass(3_000);
    expect(audits.at(-1)?.outcome).toMatch(/^rolled back/);
    expect([held('a'), admission.of('a')]).toEqual([0, 'drained']);
    world.holdsAll = () => true;
    await pass(6_000);
    expect(held('a')).toBeGreaterThan(0);
    expect(admission.of('a')).toBe('accepting');
    expect(audits.at(-1)).toMatchObject({ actor: 'expertmesh', before: 'drained', after: 'accepting' });
  });

  it('goes on with a change that another leader had begun', async () => {
    const first = await setUpPlaced();
    const { store, controlPlane, changes, begun, pass, world, duties, office } = first;
    world.holdsAll = () => false;
    const placement = contiguousPlacement(0, [0, 1], 8, ['b', 'a', 'c']);
    const order = { policy: 'contiguous', actor: 'me', reason: 'swap', redundantExperts: 0, survive: 0 } as const;
    const feed = await changes.start({ ...order, placement, expectedVersion: 1 }, begun);
    await pass(1_000);
    duties.end();
    office.abort();
    await pass(100);
    await expect(
      feed
        .follow()
        .next()
        .then(() => feed.follow().next()),
    ).resolves.toBeDefined();
    expect(store.inForce?.change?.toVersion).toBe(2);
    expect(changes.running).toBeUndefined();

    const next = await setUpLeader({ controlPlane });
    for (const workerId of ['a', 'b', 'c']) next.up(workerId);
    next.world.isSettled = false;
    next.begin(2);
    await next.pass(3_000);
    expect(next.store.inForce).toMatchObject({ version: 1, change: { toVersion: 2 } });
    next.world.isSettled = true;
    await next.pass(3_000);
    expect(next.store.inForce).toMatchObject({ epoch: 2, version: 2 });
    expect(next.audits.at(-1)).toMatchObject({ actor: 'me', outcome: 'done' });
  });

  it('puts back what the control plane has lost', async () => {
    const { controlPlane, pass } = await setUpPlaced();
    await controlPlane.placement.delete('inForce');
    await controlPlane.placement.delete('document/1');
    await pass(500);
    expect(await controlPlane.placement.get('inForce')).toBeDefined();
    expect(await controlPlane.placement.get('document/1')).toBeDefined();
  });

  it.each(['drained', 'cordoned'] as const)(
    'leaves a worker %s when an operator says so while it is given experts again',
    async (said) => {
      const { admission, pass, up, world } = await setUpPlaced();
      await admission.set('a', 'draining', true);
      await pass(3_000);
      world.holdsAll = () => false;
      up('a', 12, [], 'boot-2');
      await pass(1_000);
      await admission.set('a', said);
      world.holdsAll = () => true;
      await pass(1_000);
      expect(admission.of('a')).toBe(said);
    },
  );

  it('repairs while a plan for a worker that came back, or for a drain, takes its time', async () => {
    const { admission, drains, begun, known, pass, up, held, planner, store } = await setUpPlaced();
    for (const workerId of ['d', 'e']) up(workerId);
    await admission.set('a', 'draining', true);
    await pass(3_000);
    const make = planner.make.bind(planner);
    planner.make = (wish, signal) => (wish.isUrgent === true ? make(wish, signal) : new Promise(() => undefined));
    up('a', 12, [], 'boot-2');
    const versionBefore = store.inForce?.version;
    await drains.begin(WorkerCommand.create({ workerId: 'b', actor: 'ada' }), begun);
    await pass(1_000);
    known.apply({ type: 'down', workerId: 'c', reason: 'no answer' });
    await pass(REPAIR_AFTER_MS - 1_000);
    expect([store.inForce?.version, admission.of('b')]).toEqual([versionBefore, 'draining']);
    await pass(3_000);
    expect(held('c')).toBe(0);
    expect(store.document(store.inForce?.version ?? 0)?.reason).toBe('worker c is dead');
  });

  it('says once what a repair waits for at the begin of an office, and ends a drain all the same', async () => {
    const { controlPlane, admission, duties, pass, office } = await setUpPlaced();
    await admission.set('d', 'draining');
    duties.end();
    office.abort();
    await pass(100);
    const next = await setUpLeader({ controlPlane });
    for (const workerId of ['a', 'b']) next.up(workerId);
    next.world.isSettled = false;
    next.begin(2);
    await next.pass(5_000);
    expect(next.admission.of('d')).toBe('drained');
    expect(next.complaints).toEqual(['the placement does not change yet: worker a has not loaded']);
    expect(next.store.inForce?.version).toBe(1);
    next.world.isSettled = true;
    await next.pass(2_000);
    expect(next.store.inForce?.version).toBe(2);
  });

  it('plans ever less often what cannot be planned', async () => {
    const { known, pass, planner, complaints } = await setUpPlaced();
    const make = planner.make.bind(planner);
    let numPlans = 0;
    planner.make = (wish, signal) => {
      numPlans++;
      return make(wish, signal);
    };
    for (const workerId of ['b', 'c']) known.apply({ type: 'down', workerId, reason: 'no answer' });
    await pass(REPAIR_AFTER_MS + 600_000);
    expect(numPlans).toBeGreaterThan(3);
    expect(numPlans).toBeLessThan(12);
    expect(complaints).toHaveLength(1);
  });
});
