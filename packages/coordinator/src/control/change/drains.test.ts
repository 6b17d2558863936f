import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress_State as State, WorkerCommand } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { contiguousPlacement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { setUpPlaced } from '@expertmesh/test-kit/leading-cluster';
import { type ChangeFeed } from './change-feed.js';

const drainOf = (workerId: string, changed: Partial<WorkerCommand> = {}): WorkerCommand =>
  WorkerCommand.create({ workerId, actor: 'ada', ...changed });
type Feed = Pick<ChangeFeed, 'latest' | 'follow'>;
const stateOf = ({ latest }: Feed): State => latest.state;

/** One more worker than the experts need, so that one can leave. */
async function setUp() {
  const all = await setUpPlaced();
  all.up('d');
  const { audits, changes, begun, world, pass } = all;
  const drainAudits = () =>
    audits
      .filter(({ action }) => action.startsWith('drain'))
      .map(({ actor, action, before, after, outcome }) => [actor, action, before, after, outcome].join(' | '));
  /** A change of somebody else that takes until `endOther`. */
  const startOther = async (): Promise<() => Promise<void>> => {
    world.holdsAll = () => false;
    const placement = contiguousPlacement(0, [0, 1], 8, ['b', 'a', 'c']);
    const order = { policy: 'contiguous', actor: 'bob', reason: 'swap', redundantExperts: 0, survive: 0 } as const;
    await changes.start({ ...order, placement, expectedVersion: 1 }, begun);
    return async () => {
      world.holdsAll = () => true;
      await pass(1_000);
    };
  };
  return { ...all, drainAudits, startOther };
}

describe('Drains', () => {
  it('empties the worker, says so, and records begin and end', async () => {
    const { drains, begun, pass, held, admission, drainAudits } = await setUp();
    const feed = await drains.begin(drainOf('a'), begun);
    await pass(2_000);
    expect([stateOf(feed), held('a'), admission.of('a')]).toEqual([State.STATE_DONE, 0, 'drained']);
    expect(drainAudits()).toEqual([
      'ada | drain worker a | accepting | draining | begun',
      'ada | drain worker a | draining | drained | done',
    ]);
    expect(drains.underWay.size).toBe(0);
  });

  it('waits for the change under way, and says for which', async () => {
    const { drains, begun, pass, held, admission, startOther, store } = await setUp();
    const endOther = await startOther();
    const feed = await drains.begin(drainOf('a'), begun);
    await pass(5_000);
    expect(feed.latest.message).toBe('waits for the change to version 2');
    expect(admission.of('a')).toBe('draining');
    await endOther();
    await pass(2_000);
    expect([stateOf(feed), held('a'), admission.of('a')]).toEqual([State.STATE_DONE, 0, 'drained']);
    expect(store.history(3).map(({ actor }) => actor)).toEqual(['ada', 'bob', 'expertmesh']);
  });

  it('says once what it waits for', async () => {
    const { drains, begun, pass, startOther } = await setUp();
    const endOther = await startOther();
    const feed = await drains.begin(drainOf('a'), begun);
    const messages: string[] = [];
    const following = (async () => {
      for await (const { message } of feed.follow()) messages.push(message);
    })();
    await pass(5_000);
    expect(messages).toEqual(['worker a is to be drained', 'waits for the change to version 2']);
    await endOther();
    await pass(2_000);
    await following;
  });

  it('plans again when a worker that was to get experts takes none any more', async () => {
    const { drains, begun, pass, planner, admission, held } = await setUp();
    const make = planner.make.bind(planner);
    let numPlans = 0;
    planner.make = async (wish, signal) => {
      const made = await make(wish, signal);
      if (numPlans++ === 0) {
        const gainers = made.plan.diff.moves.filter(({ load }) => load.length > 0).map(({ workerId }) => workerId);
        await admission.set(gainers[0] ?? '', 'cordoned');
      }
      return made;
    };
    const feed = await drains.begin(drainOf('a'), begun);
    await pass(2_000);
    expect([numPlans, stateOf(feed), held('a'), admission.of('a')]).toEqual([2, State.STATE_DONE, 0, 'drained']);
  });

  it('is for good when anybody asks for that, and in their name', async () => {
    const { drains, begun, pass, admission, startOther, drainAudits } = await setUp();
    const endOther = await startOther();
    const feed = await drains.begin(drainOf('a', { untilRestart: true }), begun);
    await pass(500);
    expect(admission.isUntilRestart('a')).toBe(true);
    expect(await drains.begin(drainOf('a', { actor: 'bob' }), begun)).toBe(feed);
    await endOther();
    await pass(2_000);
    expect([stateOf(feed), admission.of('a'), admission.isUntilRestart('a')]).toEqual([
      State.STATE_DONE,
      'drained',
      false,
    ]);
    expect(drainAudits()).toContain('bob | drain worker a | draining | draining | begun');
  });

  it('stays until the restart when all ask for that', async () => {
    const { drains, begun, pass, admission } = await setUp();
    for (const actor of ['ada', 'bob']) await drains.begin(drainOf('a', { actor, untilRestart: true }), begun);
    await pass(2_000);
    expect([admission.of('a'), admission.isUntilRestart('a')]).toEqual(['drained', true]);
  });

  it('is given up when an operator says something else of the worker meanwhile', async () => {
    const { drains, begun, pass, held, admission, startOther, drainAudits } = await setUp();
    const endOther = await startOther();
    const feed = await drains.begin(drainOf('a'), begun);
    await pass(500);
    await admission.set('a', 'cordoned');
    await endOther();
    await pass(2_000);
    await expect(lastOf(feed)).rejects.toThrow('worker a is cordoned by now');
    expect([held('a') > 0, admission.of('a')]).toEqual([true, 'cordoned']);
    expect(drainAudits().at(-1)).toBe(
      'ada | drain worker a | cordoned | cordoned | failed: worker a is cordoned by now: the drain was given up',
    );
  });

  it.each([
    ['the worker is empty', true],
    ['the change was taken back', false],
  ])('leaves the worker draining, which the leader ends, when its end cannot be written: %s', async (_, isDone) => {
    const { drains, begun, pass, held, admission, world } = await setUp();
    if (!isDone)
      world.holdsAll = () => {
        throw new ExpertmeshError('data_loss', 'worker d: a blob is corrupt');
      };
    const set = admission.set.bind(admission);
    admission.set = async (workerId, next, isUntilRestart) => {
      if (next !== 'draining' && drains.underWay.has('a'))
        throw new ExpertmeshError('unavailable', 'the control plane is away');
      await set(workerId, next, isUntilRestart);
    };
    const feed = await drains.begin(drainOf('a'), begun);
    for (let passedMs = 0; passedMs < 3_000 && !feed.isOver; passedMs += 250) await pass(250);
    expect(stateOf(feed)).toBe(isDone ? State.STATE_DONE : State.STATE_ROLLED_BACK);
    expect(feed.latest.message).toContain('worker a is still draining, and the leader sees to it (the control plane');
    world.holdsAll = () => true;
    await pass(10_000);
    expect([held('a'), admission.of('a')]).toEqual([0, 'drained']);
  });

  it('leaves the worker as it was when the change before does not end', async () => {
    const { drains, begun, pass, admission, duties, store } = await setUp();
    duties.end();
    await store.writeInForce({ formatVersion: 1, epoch: 1, version: 1, change: { toVersion: 2, doneLayers: [] } });
    await admission.set('a', 'cordoned');
    const feed = await drains.begin(drainOf('a'), begun);
    await pass(601_000);
    await expect(lastOf(feed)).rejects.toThrow('the change to version 2 has not ended for ten minutes');
    expect(admission.of('a')).toBe('cordoned');
  });

  it('leaves the worker as it was when there is no room for its experts', async () => {
    const { drains, begun, pass, admission, known, drainAudits } = await setUp();
    await admission.set('a', 'cordoned');
    for (const workerId of ['b', 'c', 'd']) known.apply({ type: 'down', workerId, reason: 'no answer' });
    const roomless = await drains.begin(drainOf('a'), begun);
    await pass(2_000);
    await expect(lastOf(roomless)).rejects.toThrow('no worker accepts replicas');
    expect(admission.of('a')).toBe('cordoned');
    expect(drainAudits().at(-1)).toMatch(/^ada \| drain worker a \| draining \| cordoned \| failed: /);
  });

  it('leaves the worker as it was when the change is taken back', async () => {
    const { drains, begun, pass, admission, held, world, drainAudits } = await setUp();
    world.holdsAll = () => {
      throw new ExpertmeshError('data_loss', 'worker d: a blob is corrupt');
    };
    const feed = await drains.begin(drainOf('a'), begun);
    await pass(2_000);
    expect(stateOf(feed)).toBe(State.STATE_ROLLED_BACK);
    expect([admission.of('a'), held('a')]).toEqual(['accepting', 4]);
    expect(drainAudits().at(-1)).toBe(
      'ada | drain worker a | draining | accepting | rolled back: worker d: a blob is corrupt',
    );
  });

  it('empties workers that leave together one after the other, and drains each once', async () => {
    const { drains, begun, pass, held, admission, up } = await setUp();
    up('e');
    const [a, b] = [await drains.begin(drainOf('a'), begun), await drains.begin(drainOf('b'), begun)];
    expect(await drains.begin(drainOf('a'), begun)).toBe(a);
    await pass(3_000);
    expect([a, b].every((feed) => feed.isOver)).toBe(true);
    expect([held('a'), held('b'), admission.of('a'), admission.of('b')]).toEqual([0, 0, 'drained', 'drained']);
  });

  it('is left to the next leader when the office ends', async () => {
    const { drains, begun, pass, admission, world, office } = await setUp();
    world.holdsAll = () => false;
    const feed = await drains.begin(drainOf('a'), begun);
    await pass(1_000);
    office.abort();
    await pass(500);
    await expect(lastOf(feed)).rejects.toMatchObject({ code: 'unavailable' });
    expect(admission.of('a')).toBe('draining');
  });
});

async function lastOf(feed: Feed): Promise<State> {
  let last: State | undefined;
  for await (const { state } of feed.follow()) last = state;
  return last ?? stateOf(feed);
}
