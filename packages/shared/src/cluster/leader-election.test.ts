import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { settle } from '@expertmesh/test-kit/settle';
import { SwitchableControlPlane } from '@expertmesh/test-kit/switchable-control-plane';
import { EmbeddedControlPlane } from '../control-plane/embedded-control-plane.js';
import { createLogger } from '../process/logger.js';
import { LEADER_KEY } from './cluster-keys.js';
import { LeaderElection } from './leader-election.js';
import { encodeLeaderRecord } from './member-record.js';

const logger = createLogger({ name: 'test', level: 'silent' });

/** A coordinator as far as elections are concerned. */
class Candidate {
  readonly controlPlane: SwitchableControlPlane;
  readonly election: LeaderElection;
  readonly heard: string[] = [];
  knownEpoch = 0;

  constructor(shared: EmbeddedControlPlane, coordinatorId: string, clock: DrivenClock) {
    this.controlPlane = new SwitchableControlPlane(shared);
    this.election = new LeaderElection({
      controlPlane: this.controlPlane,
      coordinatorId,
      bootId: `boot of ${coordinatorId}`,
      knownEpoch: () => this.knownEpoch,
      epochAbove: (known) => known + 1,
      onElected: (epoch) => this.heard.push(`elected ${String(epoch)}`),
      onDeposed: (reason) => this.heard.push(`deposed: ${reason}`),
      logger,
      clock,
    });
  }
}

describe('LeaderElection', () => {
  let clock: DrivenClock;
  let shared: EmbeddedControlPlane;
  let candidates: Candidate[];
  const enter = (coordinatorId: string): Candidate => {
    const candidate = new Candidate(shared, coordinatorId, clock);
    candidates.push(candidate);
    return candidate;
  };
  const leaders = (): Candidate[] => candidates.filter(({ election }) => election.epoch !== undefined);
  /** Lets time pass in small steps, and checks at each that no two lead. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      await settle();
      expect(leaders().length).toBeLessThanOrEqual(1);
    }
  };

  beforeEach(() => {
    clock = new DrivenClock();
    shared = new EmbeddedControlPlane(logger);
    candidates = [];
  });
  afterEach(async () => {
    await Promise.all(candidates.map(({ election }) => election.close()));
    expect(clock.numTimers).toBe(0);
  });

  it('elects a coordinator that is alone at once, and it stays', async () => {
    const alone = enter('a');
    expect(alone.election.epoch).toBeUndefined();
    await settle();
    expect(alone.heard).toEqual(['elected 1']);
    await pass(60_000);
    expect(alone.heard).toEqual(['elected 1']);
    expect(alone.election).toMatchObject({ epoch: 1, leader: { coordinatorId: 'a', epoch: 1 } });
  });

  it('elects one of several, and all know which', async () => {
    for (const id of ['a', 'b', 'c']) enter(id);
    await pass(10_000);
    const [leader] = leaders();
    expect(leaders()).toHaveLength(1);
    for (const { election } of candidates)
      expect(election.leader?.coordinatorId).toBe(leader?.election.leader?.coordinatorId);
  });

  it('lets another take over at once when the leader ends', async () => {
    const first = enter('a');
    await settle();
    const second = enter('b');
    await settle();
    await first.election.close();
    await settle();
    expect(first.heard).toEqual(['elected 1', 'deposed: this coordinator ends']);
    expect(second.heard).toEqual(['elected 2']);
  });

  it('lets another take over within 3.1 s when the leader is cut off, after that one has stopped acting', async () => {
    const first = enter('a');
    await settle();
    const second = enter('b');
    await pass(5_500);
    first.controlPlane.cut();
    await pass(2_100);
    expect(first.heard.at(-1)).toBe("deposed: the leader's record could not be renewed for 2500 ms");
    expect(first.election).toMatchObject({ epoch: undefined, leader: undefined });
    expect(second.heard).toEqual([]);
    await pass(1_000);
    expect(second.heard).toEqual(['elected 2']);
    await first.controlPlane.mend();
    await pass(5_000);
    expect(first.heard).toHaveLength(2);
    expect(first.election.leader?.coordinatorId).toBe('b');
  });

  it('does not act on a tenure that ended while its process stood still', async () => {
    const first = enter('a');
    await settle();
    clock.block(2_500);
    expect(first.election.epoch).toBeUndefined();
    await pass(100);
    expect(first.heard.at(-1)).toMatch(/^elected [12]$/);
  });

  it('keeps its leader when the control plane was away for all, and for however long', async () => {
    const first = enter('a');
    await settle();
    const second = enter('b');
    await pass(1_000);
    for (const { controlPlane } of candidates) controlPlane.cut();
    await pass(2_000);
    expect(second.election.leader?.coordinatorId).toBe('a');
    await pass(58_000);
    expect(leaders()).toEqual([]);
    for (const { election } of candidates) expect(election.leader).toBeUndefined();
    for (const { controlPlane } of candidates.toReversed()) await controlPlane.mend();
    await pass(1_000);
    expect(first.heard.at(-1)).toBe('elected 2');
    expect(second.heard).toEqual([]);
  });

  it('never takes a lower epoch when the control plane has lost its store', async () => {
    const first = enter('a');
    first.knownEpoch = 6;
    await settle();
    enter('b');
    await pass(1_000);
    for (const { controlPlane } of candidates) controlPlane.cut();
    await shared.leader.delete(LEADER_KEY);
    await pass(10_000);
    for (const { controlPlane } of candidates) await controlPlane.mend();
    await pass(5_000);
    expect(leaders()[0]?.election.epoch).toBe(8);
  });

  it('takes a higher epoch as soon as the cluster is known to have one', async () => {
    const alone = enter('a');
    await settle();
    alone.knownEpoch = 4;
    await pass(1_100);
    expect(alone.heard).toEqual(['elected 1', 'deposed: epoch 4 is known to the cluster already', 'elected 5']);
  });

  it('passes over a record that is broken', async () => {
    await shared.leader.put(LEADER_KEY, Buffer.from('no record'));
    const alone = enter('a');
    await pass(2_900);
    expect(alone.heard).toEqual([]);
    await pass(200);
    expect(alone.heard).toEqual(['elected 1']);
  });

  it('steps down at once for whoever has taken the office', async () => {
    const first = enter('a');
    await settle();
    const usurper = {
      formatVersion: 1,
      coordinatorId: 'x',
      bootId: 'x',
      epoch: 9,
      renewal: 1,
      hasResigned: false,
    } as const;
    await shared.leader.put(LEADER_KEY, encodeLeaderRecord(usurper));
    await settle();
    expect(first.heard).toEqual(['elected 1', 'deposed: x leads under epoch 9']);
    await pass(3_100);
    expect(first.heard.at(-1)).toBe('elected 10');
  });
});
