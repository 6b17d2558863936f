import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type AssignRequest, WorkerState, WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { settle } from '@expertmesh/test-kit/settle';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { type Shards } from '../placement/shards.js';
import { type WorkerCommands } from '../../membership/worker-channel.js';
import { KnownWorkers } from './known-workers.js';
import { WorkerCommander } from './worker-commander.js';

const LOADING = WorkerState.WORKER_STATE_LOADING;
const reconcile = async (commander: WorkerCommander): Promise<void> => {
  commander.reconcileAll();
  await settle();
};
const holdUp = (state: { mayEnd: Promise<void> }): (() => void) => {
  let end = (): void => undefined;
  state.mayEnd = new Promise((resolve) => (end = resolve));
  return () => end();
};
const shards = (...expertIds: number[]): Shards => (expertIds.length === 0 ? [] : [{ layerIndex: 0, expertIds }]);

/**
 * One worker that does what it is told when the test lets it, and reports it when it is asked, unless the test does so;
 * another one, which nobody can command, holds all experts as well.
 */
function setUp({ isReported = true } = {}) {
  const clock = new DrivenClock();
  const known = new KnownWorkers(clock);
  const requests: (AssignRequest | { readonly unloadEpoch: number })[] = [];
  const state = {
    wanted: shards(1, 2) as Shards | undefined,
    epoch: 1 as number | undefined,
    error: undefined as ExpertmeshError | undefined,
    held: [] as Shards,
    heldEpoch: 0,
    bootId: 'boot-1',
    mayEnd: Promise.resolve(),
  };
  const report = (): void => {
    const stats = WorkerStats.create({ bootId: state.bootId, epoch: state.heldEpoch, shards: [...state.held] });
    known.apply({ type: 'stats', workerId: 'a', stats });
  };
  const answer = async (held: Shards, epoch: number): Promise<void> => {
    await state.mayEnd;
    if (state.error !== undefined) throw state.error;
    state.held = held;
    state.heldEpoch = epoch;
  };
  const refusals: string[] = [];
  const commands: WorkerCommands = {
    hold: async (request, onProgress) => {
      requests.push(request);
      onProgress({ placementVersion: 1, loadedBytes: 0, totalBytes: 1, loadedLayers: 0, totalLayers: 1 });
      await answer(request.shards, request.epoch);
    },
    unload: async (unloadEpoch) => {
      requests.push({ unloadEpoch });
      await answer([], unloadEpoch);
    },
  };
  const commander = new WorkerCommander({
    storeId: 'store-1',
    known,
    commands: (workerId) => (workerId === 'a' ? commands : undefined),
    wanted: () => state.wanted,
    sources: (workerId) => [`peer of ${workerId}`],
    placementVersion: () => 5,
    epoch: () => state.epoch,
    refresh: () => {
      if (!isReported) return;
      report();
      commander.reconcile('a');
    },
    onRefusal: (_, { message }) => refusals.push(message),
    onProgress: () => undefined,
    logger: createLogger({ name: 'test', level: 'silent' }),
    clock,
    random: () => 0,
  });
  known.apply({ type: 'up', workerId: 'a', dataAddress: 'a:1', bootId: 'boot-1' });
  report();
  known.apply({ type: 'up', workerId: 'b', dataAddress: 'b:1', bootId: 'boot-1' });
  const stats = WorkerStats.create({ shards: [...shards(1, 2, 3, 4)] });
  known.apply({ type: 'stats', workerId: 'b', stats });
  return { clock, known, commander, state, requests, refusals, report };
}

describe('WorkerCommander', () => {
  it('has a worker hold what it should, once, under the placement and the epoch in force', async () => {
    const { commander, requests } = setUp();
    commander.reconcileAll();
    commander.reconcile('a');
    await settle();
    await reconcile(commander);
    const sources = ['peer of a'];
    expect(requests).toEqual([{ placementVersion: 5, storeId: 'store-1', epoch: 1, shards: shards(1, 2), sources }]);
  });

  it('knows what a worker holds only from after its last command', async () => {
    const { commander, state } = setUp();
    const end = holdUp(state);
    expect(commander.hasObeyed('a')).toBe(true);
    commander.reconcileAll();
    expect(commander.hasObeyed('a')).toBe(false);
    end();
    await settle();
    expect(commander.hasObeyed('a')).toBe(true);
    expect(commander.hasObeyed('nobody')).toBe(false);
  });

  it('knows nothing of a worker whose answer to the last command was lost, until it reports again', async () => {
    const { commander, known, state, report } = setUp({ isReported: false });
    state.error = new ExpertmeshError('deadline_exceeded', 'no answer');
    await reconcile(commander);
    expect(commander.hasObeyed('a')).toBe(false);
    report();
    known.apply({ type: 'stats', workerId: 'a', stats: WorkerStats.create({ state: LOADING }) });
    expect(commander.hasObeyed('a')).toBe(false);
  });

  it('does nothing out of office, nor before there is a placement', async () => {
    const { commander, state, requests } = setUp();
    state.epoch = undefined;
    commander.reconcileAll();
    state.epoch = 1;
    state.wanted = undefined;
    await reconcile(commander);
    expect(requests).toEqual([]);
  });

  it('says what has changed meanwhile when the command under way has ended', async () => {
    const { commander, state, requests } = setUp();
    const end = holdUp(state);
    commander.reconcileAll();
    state.wanted = shards(3);
    commander.reconcileAll();
    expect(requests).toHaveLength(1);
    end();
    await settle();
    expect(requests.at(-1)).toMatchObject({ shards: shards(3) });
  });

  it('unloads a worker that is to hold nothing', async () => {
    const { commander, state, requests } = setUp();
    await reconcile(commander);
    state.wanted = [];
    await reconcile(commander);
    expect(requests.at(-1)).toEqual({ unloadEpoch: 1 });
  });

  it('tries again after growing delays where a worker refuses, at once when something else is wanted', async () => {
    const { clock, commander, state, requests, refusals } = setUp();
    state.error = new ExpertmeshError('resource_exhausted', 'full');
    await reconcile(commander);
    await reconcile(commander);
    expect(requests).toHaveLength(1);
    clock.advance(100);
    await settle();
    clock.advance(100);
    await settle();
    expect(requests).toHaveLength(2);
    clock.advance(100);
    await settle();
    expect(requests).toHaveLength(3);
    expect(refusals).toEqual(['full', 'full', 'full']);
    expect(commander.refusal('a')?.code).toBe('resource_exhausted');
    state.wanted = shards(3);
    state.error = undefined;
    commander.forgetRefusals();
    await reconcile(commander);
    expect(state.held).toEqual(shards(3));
    expect(commander.refusal('a')).toBeUndefined();
  });

  it('takes no refusal of what is wanted no longer for one of what is', async () => {
    const { commander, state, refusals } = setUp();
    const end = holdUp(state);
    state.error = new ExpertmeshError('data_loss', 'expert 2 is corrupt');
    commander.reconcileAll();
    state.wanted = shards(1);
    commander.forgetRefusals();
    commander.reconcileAll();
    end();
    await Promise.resolve();
    state.error = undefined;
    await settle();
    expect(refusals).toEqual([]);
    expect(commander.refusal('a')).toBeUndefined();
    expect(state.held).toEqual(shards(1));
  });

  it('gives a restarted worker its experts again', async () => {
    const { commander, known, state, requests, report } = setUp();
    await reconcile(commander);
    known.apply({ type: 'down', workerId: 'a', reason: 'it has been restarted' });
    commander.reconcile('a');
    known.apply({ type: 'up', workerId: 'a', dataAddress: 'a:1', bootId: 'boot-2' });
    Object.assign(state, { bootId: 'boot-2', held: [], heldEpoch: 0 });
    report();
    commander.reconcile('a');
    await settle();
    expect(requests).toHaveLength(2);
    expect(state.held).toEqual(shards(1, 2));
  });

  it('does not count what failed before a worker came up as refused, unless it fails again and again', async () => {
    const { clock, commander, state } = setUp();
    state.error = new ExpertmeshError('cancelled', 'it has gone away');
    await reconcile(commander);
    expect(commander.refusal('a')?.code).toBe('cancelled');
    commander.cameUp('a');
    expect(commander.refusal('a')).toBeUndefined();
    for (const delayMs of [100, 200]) {
      clock.advance(delayMs);
      await settle();
    }
    commander.cameUp('a');
    expect(commander.refusal('a')?.code).toBe('cancelled');
    state.error = undefined;
    clock.advance(400);
    await settle();
    expect(commander.refusal('a')).toBeUndefined();
  });

  it('commands every worker once under a new epoch', async () => {
    const { commander, state, requests } = setUp();
    await reconcile(commander);
    state.epoch = 2;
    await reconcile(commander);
    expect(requests).toHaveLength(2);
    expect(state.heldEpoch).toBe(2);
  });

  it('does not try again, and keeps nothing, of a worker that is no member any more', async () => {
    const { clock, known, commander, state, requests, refusals } = setUp();
    state.error = new ExpertmeshError('data_loss', 'a blob is corrupt');
    commander.reconcile('a');
    await settle();
    expect(commander.refusal('a')?.message).toBe('a blob is corrupt');
    let end = (): void => undefined;
    state.mayEnd = new Promise((resolve) => (end = resolve));
    clock.advance(60_000);
    known.apply({ type: 'forgotten', workerId: 'a' });
    commander.forget('a');
    end();
    await settle();
    clock.advance(60_000);
    expect([requests.length, refusals.length, clock.numTimers]).toEqual([2, 1, 0]);
    expect(commander.refusal('a')).toBeUndefined();
  });

  it('is silent after close', async () => {
    const { clock, commander, state, requests } = setUp();
    state.error = new ExpertmeshError('unavailable', 'gone');
    await reconcile(commander);
    commander.close();
    clock.advance(10_000);
    await settle();
    expect(requests).toHaveLength(1);
    expect(clock.numTimers).toBe(0);
  });

  it('lets a worker keep what nobody else who is up holds, until another one does', async () => {
    const { commander, known, state, requests, report } = setUp();
    await reconcile(commander);
    known.apply({ type: 'down', workerId: 'b', reason: 'it is gone' });
    state.wanted = shards(3);
    await reconcile(commander);
    expect(requests.at(-1)).toMatchObject({ shards: shards(1, 2, 3) });
    known.apply({ type: 'up', workerId: 'b', dataAddress: 'b:1', bootId: 'boot-2' });
    known.apply({ type: 'stats', workerId: 'b', stats: WorkerStats.create({ shards: [...shards(1, 2)] }) });
    report();
    await reconcile(commander);
    expect(requests.at(-1)).toMatchObject({ shards: shards(3) });
  });

  it('has a worker without room for both give up first what it is not to hold', async () => {
    const { commander, clock, state, requests } = setUp();
    await reconcile(commander);
    state.wanted = shards(2, 3);
    state.error = new ExpertmeshError('resource_exhausted', 'no room');
    await reconcile(commander);
    state.error = undefined;
    clock.advance(1_000);
    await settle();
    expect(requests.slice(1)).toMatchObject([
      { shards: shards(2, 3) },
      { shards: shards(2) },
      { shards: shards(2, 3) },
    ]);
  });
});
