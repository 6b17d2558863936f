import { type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress, ChangeProgress_State } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { routingPlacement, type PlacementStep } from '../placement/routing.js';
import { shardsOf, unionShards, type Shards } from '../placement/shards.js';
import { ChangeFeed } from './change-feed.js';
import { Mover, type MoverWorld, type PlacementChange } from './mover.js';

const from: Placement = {
  version: 1,
  numExperts: 2,
  workerIds: ['a', 'b'],
  replicas: new Map([
    [0, [[0], [1]]],
    [1, [[0], [1]]],
    [2, [[0], [1]]],
  ]),
};
/** Layer 0 swaps, layer 1 stays, expert 0 of layer 2 gets a second replica. */
const to: Placement = {
  ...from,
  version: 2,
  replicas: new Map([
    [0, [[1], [0]]],
    [1, [[0], [1]]],
    [2, [[0, 1], [1]]],
  ]),
};

/**
 * Workers that obey at once unless a test says otherwise, and a log of what happens to them: each worker's layers as
 * text, such as "a 0:01 1:0".
 */
class ScriptedFleet implements MoverWorld {
  readonly log: string[] = [];
  inForce: Omit<PlacementInForce, 'epoch'> = { formatVersion: 1, version: 1 };
  readonly documents = new Map([
    [1, from],
    [2, to],
  ]);
  extra: ReadonlyMap<string, Shards> = new Map();
  /** What keeps a worker from loading. */
  refuses: (workerId: string, shards: string) => Error | 'never' | undefined = () => undefined;
  isDown: string | undefined;
  wrongAnswer: string | undefined;
  writeError: () => Error | undefined = () => undefined;
  isSlowCoordinator = false;
  readonly #holds = new Map(['a', 'b'].map((workerId) => [workerId, text(shardsOf(from, workerId))]));

  readonly writeInForce = (inForce: Omit<PlacementInForce, 'epoch'>): Promise<void> => {
    const error = this.writeError();
    if (error !== undefined) return Promise.reject(error);
    this.inForce = inForce;
    this.log.push(
      `in force: ${String(inForce.version)}${inForce.change ? ` done ${inForce.change.doneLayers.join()}` : ''}`,
    );
    return Promise.resolve();
  };
  readonly writeRemainder = (placement: Placement): Promise<Placement> => {
    const remainder = { ...placement, version: 3 };
    this.documents.set(3, remainder);
    return Promise.resolve(remainder);
  };
  readonly setExtra = (extra: ReadonlyMap<string, Shards>): void => {
    this.extra = extra;
  };
  readonly holdsAll = (workerId: string): boolean => this.#obeys(workerId);
  readonly holdsOnly = (workerId: string): boolean => this.#obeys(workerId);
  readonly isUp = (workerId: string): boolean => workerId !== this.isDown;
  readonly probe = (workerId: string, layerIndex: number, expertId: number): Promise<Float32Array> => {
    this.log.push(`probe ${workerId} ${String(layerIndex)}:${String(expertId)}`);
    const answer = layerIndex * 10 + expertId + 1;
    return Promise.resolve(Float32Array.of(answer, workerId === this.wrongAnswer ? -answer : answer));
  };
  readonly isApplied = (_step: PlacementStep): boolean => !this.isSlowCoordinator;

  #obeys(workerId: string): boolean {
    const routing = routingPlacement({ ...this.inForce, epoch: 1 }, (version) => this.documents.get(version));
    const wanted = unionShards(shardsOf(routing ?? from, workerId), this.extra.get(workerId) ?? []);
    const refusal = this.refuses(workerId, text(wanted));
    if (refusal instanceof Error) throw refusal;
    if (refusal === 'never') return false;
    if (this.#holds.get(workerId) !== text(wanted)) this.log.push(`${workerId} ${text(wanted)}`);
    this.#holds.set(workerId, text(wanted));
    return true;
  }
}

const text = (shards: Shards): string =>
  shards.map(({ layerIndex, expertIds }) => `${String(layerIndex)}:${expertIds.join('')}`).join(' ');

function setUp(changed: Partial<{ bytesPerSecond: number; change: PlacementChange }> = {}) {
  const clock = new DrivenClock();
  const fleet = new ScriptedFleet();
  const office = new AbortController();
  const feed = new ChangeFeed(ChangeProgress.create({ layersTotal: 2, fromVersion: 1, toVersion: 2 }));
  const logger = createLogger({ name: 'test', level: 'silent' });
  const { bytesPerSecond, change = { from, to, doneLayers: [] } } = changed;
  const moved: number[] = [];
  const onMoved = (numReplicas: number): void => void moved.push(numReplicas);
  const mover = new Mover({ world: fleet, expertBytes: 100, bytesPerSecond, onMoved, clock, logger });
  const state = { isOver: false };
  const run = async (): Promise<void> => {
    await mover.run(change, feed, office.signal).finally(() => (state.isOver = true));
  };
  /** Lets everything happen that does, and time pass while it waits. */
  const drive = async (running: Promise<void>, limitMs = 1_000_000): Promise<void> => {
    running.catch(() => undefined);
    const isOver = (): boolean => state.isOver;
    const endMs = clock.nowMs() + limitMs;
    while (!isOver() && clock.nowMs() < endMs) {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      if (!isOver() && clock.nextInMs < Infinity) clock.advance(clock.nextInMs);
    }
  };
  return { clock, fleet, office, feed, moved, run, drive };
}

describe('Mover', () => {
  it('loads, verifies, switches and then drops, layer by layer, and leaves layers alone that stay', async () => {
    const { fleet, feed, moved, run, drive } = setUp();
    const running = run();
    await drive(running);
    await running;
    expect(moved).toEqual([2, 1]);
    expect(fleet.log).toEqual([
      'a 0:01 1:0 2:0',
      'b 0:01 1:1 2:1',
      'probe a 0:1',
      'probe b 0:1',
      'probe b 0:0',
      'probe a 0:0',
      'in force: 1 done 0',
      'a 0:1 1:0 2:0',
      'b 0:0 1:1 2:1',
      'b 0:0 1:1 2:01',
      'probe b 2:0',
      'probe a 2:0',
      'in force: 1 done 0,2',
      'in force: 2',
    ]);
    expect(feed.latest).toMatchObject({ state: ChangeProgress_State.STATE_DONE, layersDone: 2, bytesDone: 300 });
  });

  it('goes on where another leader has left', async () => {
    const { fleet, run, drive } = setUp({ change: { from, to, doneLayers: [0] } });
    fleet.inForce = { formatVersion: 1, version: 1, change: { toVersion: 2, doneLayers: [0] } };
    const running = run();
    await drive(running);
    await running;
    expect(fleet.log.filter((line) => line.startsWith('in force'))).toEqual(['in force: 1 done 0,2', 'in force: 2']);
  });

  it('takes everything back when a worker has no room, and says why', async () => {
    const { fleet, feed, run, drive } = setUp();
    fleet.refuses = (workerId, shards) =>
      workerId === 'b' && shards.includes('2:01') ? new ExpertmeshError('resource_exhausted', 'b is full') : undefined;
    const running = run();
    await drive(running);
    await running;
    expect(fleet.log.filter((line) => line.startsWith('in force'))).toEqual([
      'in force: 1 done 0',
      'in force: 1 done ',
      'in force: 1',
    ]);
    expect(fleet.log).toContain('a 0:0 1:0 2:0');
    expect(fleet.extra.size).toBe(0);
    expect([feed.wasTakenBack, feed.latest.layersDone, feed.latest.message]).toEqual([true, 0, 'b is full']);
  });

  it('takes back when a step is too slow', async () => {
    const { clock, fleet, feed, run, drive } = setUp();
    fleet.refuses = (workerId, shards) => (workerId === 'b' && shards.includes('2:01') ? 'never' : undefined);
    const running = run();
    await drive(running);
    await running;
    expect(feed.wasTakenBack).toBe(true);
    expect(feed.latest.message).toMatch(/layer 2 was not loaded within 30000 ms/);
    expect(clock.nowMs()).toBeLessThan(31_000);
  });

  it('takes back at once when one worker refuses while another one still loads', async () => {
    const { fleet, feed, run, drive } = setUp();
    fleet.refuses = (workerId) => (workerId === 'a' ? 'never' : new Error('b is full'));
    await drive(run(), 1_000);
    expect([feed.wasTakenBack, feed.latest.message]).toEqual([true, 'b is full']);
  });

  it('takes back when a new replica computes something else than the old one', async () => {
    const { fleet, feed, run, drive } = setUp();
    fleet.wrongAnswer = 'b';
    const running = run();
    await drive(running);
    await running;
    expect(feed.latest.message).toMatch(/worker [ab] computes expert [01] of layer 0 wrongly: .* % off/);
    expect(fleet.log.filter((line) => line.startsWith('in force'))).toEqual(['in force: 1']);
  });

  it('does not ask replicas of workers that are away', async () => {
    const { fleet, feed, run, drive } = setUp();
    fleet.isDown = 'a';
    const running = run();
    await drive(running);
    await running;
    expect(fleet.log.filter((line) => line.startsWith('probe a'))).toEqual(['probe a 0:1']);
    expect(feed.latest.state).toBe(ChangeProgress_State.STATE_DONE);
  });

  it('keeps what it has done as a placement of its own when it cannot go back either', async () => {
    const { fleet, feed, run, drive } = setUp();
    fleet.refuses = (workerId, shards) =>
      (workerId === 'b' && shards.includes('2:01')) || (fleet.inForce.change !== undefined && shards.startsWith('0:01'))
        ? new ExpertmeshError('resource_exhausted', 'full')
        : undefined;
    const running = run();
    await drive(running);
    await running;
    expect(fleet.inForce).toEqual({ formatVersion: 1, version: 3 });
    expect(fleet.documents.get(3)?.replicas.get(0)).toEqual([[1], [0]]);
    expect(fleet.documents.get(3)?.replicas.get(2)).toEqual([[0], [1]]);
    expect(feed.latest).toMatchObject({
      state: ChangeProgress_State.STATE_ROLLED_BACK,
      message: 'full; what could not be taken back either is placement 3',
    });
  });

  it('leaves everything as it is when this coordinator leads no longer', async () => {
    const { fleet, office, run, drive } = setUp();
    fleet.refuses = () => 'never';
    const running = run();
    await drive(running, 5_000);
    office.abort();
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(fleet.log).toEqual([]);
  });

  it('switches nothing when this coordinator was deposed while new replicas were compared', async () => {
    const { fleet, office, run, drive } = setUp();
    const { probe } = fleet;
    Object.assign(fleet, {
      probe: (workerId: string, layerIndex: number, expertId: number) => {
        office.abort();
        return probe(workerId, layerIndex, expertId);
      },
    });
    const running = run();
    await drive(running);
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(fleet.inForce).toEqual({ formatVersion: 1, version: 1 });
    expect(fleet.extra.get('a')).toEqual([{ layerIndex: 0, expertIds: [1] }]);
  });

  it('does not take back what another leader may have gone on with', async () => {
    const { fleet, run, drive } = setUp();
    fleet.writeError = () => new ExpertmeshError('failed_precondition', 'another coordinator leads under epoch 2');
    const running = run();
    await drive(running);
    await expect(running).rejects.toMatchObject({
      code: 'cancelled',
      message: expect.stringContaining('epoch 2') as string,
    });
  });

  it('waits for a control plane that is away for a moment', async () => {
    const { clock, fleet, feed, run, drive } = setUp();
    fleet.writeError = () =>
      clock.nowMs() < 1_500 ? new ExpertmeshError('unavailable', 'the control plane is away') : undefined;
    const running = run();
    await drive(running);
    await running;
    expect(feed.latest.state).toBe(ChangeProgress_State.STATE_DONE);
  });

  it('passes over a coordinator that applies no step, after five seconds each', async () => {
    const { clock, fleet, feed, run, drive } = setUp();
    fleet.isSlowCoordinator = true;
    const running = run();
    await drive(running);
    await running;
    expect(feed.latest.state).toBe(ChangeProgress_State.STATE_DONE);
    expect(clock.nowMs()).toBeGreaterThanOrEqual(15_000);
    expect(clock.nowMs()).toBeLessThan(16_000);
  });

  it('loads no faster than it may', async () => {
    const { clock, feed, run, drive } = setUp({ bytesPerSecond: 50 });
    const running = run();
    await drive(running);
    await running;
    expect(feed.latest.bytesDone).toBe(300);
    expect(clock.nowMs()).toBeGreaterThanOrEqual(6_000);
    expect(clock.nowMs()).toBeLessThan(6_500);
  });
});
