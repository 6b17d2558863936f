import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress_State as State, WorkerCommand } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { contiguousPlacement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { setUpPlaced } from '../../../../../test/kit/leading-cluster.js';
import { type ChangeFeed } from './change-feed.js';

const drainOf = (workerId: string): WorkerCommand => WorkerCommand.create({ workerId, actor: 'ada' });
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
    const feed = drains.begin(drainOf('a'), begun);
    await pass(2_000);
    expect([stateOf(feed), held('a'), admission.of('a')]).toEqual([State.STATE_DONE, 0, 'drained']);
    expect(drainAudits()).toEqual([
      'ada | drain worker a | accepting | draining | begun',
      'ada | drain worker a | draining | drained | done',
    ]);
    expect(drains.isUnderWay).toBe(false);
  });

  it('waits for the change under way, and says for which', async () => {
    const { drains, begun, pass, held, admission, startOther, store } = await setUp();
    const endOther = await startOther();
    const feed = drains.begin(drainOf('a'), begun);
    await pass(5_000);
    expect(feed.latest.message).toBe('waits for the change to version 2');
    expect(admission.of('a')).toBe('draining');
    await endOther();
    await pass(2_000);
    expect([stateOf(feed), held('a'), admission.of('a')]).toEqual([State.STATE_DONE, 0, 'drained']);
    expect(store.history(3).map(({ actor }) => actor)).toEqual(['ada', 'bob', 'expertmesh']);
  });

  it('leaves the worker as it was when the change before does not end', async () => {
    const { drains, begun, pass, admission, duties, store } = await setUp();
    duties.end();
    await store.writeInForce({ formatVersion: 1, epoch: 1, version: 1, change: { toVersion: 2, doneLayers: [] } });
    await admission.set('a', 'cordoned');
    const feed = drains.begin(drainOf('a'), begun);
    await pass(601_000);
    await expect(lastOf(feed)).rejects.toThrow('the change to version 2 has not ended for ten minutes');
    expect(admission.of('a')).toBe('cordoned');
  });

  it('leaves the worker as it was when there is no room for its experts', async () => {
    const { drains, begun, pass, admission, known, drainAudits } = await setUp();
    await admission.set('a', 'cordoned');
    for (const workerId of ['b', 'c', 'd']) known.apply({ type: 'down', workerId, reason: 'no answer' });
    const roomless = drains.begin(drainOf('a'), begun);
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
    const feed = drains.begin(drainOf('a'), begun);
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
    const [a, b] = [drains.begin(drainOf('a'), begun), drains.begin(drainOf('b'), begun)];
    expect(drains.begin(drainOf('a'), begun)).toBe(a);
    await pass(3_000);
    expect([a, b].every((feed) => feed.isOver)).toBe(true);
    expect([held('a'), held('b'), admission.of('a'), admission.of('b')]).toEqual([0, 0, 'drained', 'drained']);
  });

  it('is left to the next leader when the office ends', async () => {
    const { drains, begun, pass, admission, world, office } = await setUp();
    world.holdsAll = () => false;
    const feed = drains.begin(drainOf('a'), begun);
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
