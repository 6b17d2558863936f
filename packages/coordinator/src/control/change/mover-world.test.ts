import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { toShards } from '../placement/shards.js';
import { KnownWorkers } from '../workers/known-workers.js';
import { moverWorld } from './mover-world.js';

function setUp() {
  const clock = new DrivenClock();
  const known = new KnownWorkers(clock);
  const shards = toShards([[0, [1]]]);
  const state = { refusal: undefined as ExpertmeshError | undefined, hasObeyed: true };
  const world = moverWorld(
    {
      membership: { known },
      setExtra: () => undefined,
      refusal: () => state.refusal,
      hasObeyed: () => state.hasObeyed,
      wanted: () => shards,
      isApplied: () => true,
      probe: () => Promise.resolve(Float32Array.of(1)),
    },
    clock,
  );
  known.apply({ type: 'up', workerId: 'a', dataAddress: 'a:1', bootId: 'boot-1' });
  const load = (): void => {
    known.apply({ type: 'stats', workerId: 'a', stats: WorkerStats.create({ shards: [...shards] }) });
  };
  return { clock, known, state, world, load };
}

describe('moverWorld', () => {
  it('sees when a worker has loaded what it is to hold', () => {
    const { world, load } = setUp();
    expect(world.holdsAll('a')).toBe(false);
    load();
    expect(world.holdsAll('a')).toBe(true);
  });

  it('does not take for loaded what a command under way may drop', () => {
    const { world, state, load } = setUp();
    load();
    state.hasObeyed = false;
    expect(world.holdsAll('a')).toBe(false);
  });

  it('gives up a worker that refuses for good, and none that may do it yet', () => {
    const { world, state } = setUp();
    state.refusal = new ExpertmeshError('unavailable', 'the connection was lost');
    expect(world.holdsAll('a')).toBe(false);
    state.refusal = new ExpertmeshError('data_loss', 'a blob is corrupt');
    expect(() => world.holdsAll('a')).toThrow('worker a: a blob is corrupt');
  });

  it('gives up a worker that goes away while it is to load, after five seconds or when it is forgotten', () => {
    const { clock, known, world } = setUp();
    known.apply({ type: 'down', workerId: 'a', reason: 'no answer' });
    clock.advance(5_000);
    expect(world.holdsAll('a')).toBe(false);
    clock.advance(1);
    expect(() => world.holdsAll('a')).toThrow('worker a is to load experts and is away: no answer');
    known.apply({ type: 'forgotten', workerId: 'a' });
    expect(() => world.holdsAll('a')).toThrow('it is no member any more');
  });

  it("takes the coordinator's own experts as loaded", () => {
    expect(setUp().world.holdsAll(LOCAL_MEMBER)).toBe(true);
  });
});
