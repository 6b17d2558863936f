import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { LEADER_KEY } from '@expertmesh/shared/cluster/cluster-keys';
import { LeaderElection } from '@expertmesh/shared/cluster/leader-election';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { openControlPlane } from '@expertmesh/shared/control-plane/open-control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { CuttableProxy } from '@expertmesh/test-kit/cuttable-proxy';
import { eventually } from '@expertmesh/test-kit/eventually';
import { describeNats, NatsServerProcess } from '@expertmesh/test-kit/nats-server';
import { bytes } from '@expertmesh/test-kit/recording-watch';

const logger = createLogger({ name: 'test', level: 'silent' });

/** A coordinator as far as elections are concerned. */
interface Candidate {
  readonly controlPlane: ControlPlane;
  readonly election: LeaderElection;
  readonly heard: string[];
}

describeNats('elections over NATS', () => {
  let server: NatsServerProcess;
  let proxy: CuttableProxy;
  let cluster = '';
  let numClusters = 0;
  const candidates: Candidate[] = [];
  const enter = (coordinatorId: string, natsUrl: string): Candidate => {
    const heard: string[] = [];
    const controlPlane = openControlPlane({ natsUrl, cluster }, coordinatorId, logger);
    const election = new LeaderElection({
      controlPlane,
      coordinatorId,
      bootId: coordinatorId,
      knownEpoch: () => 0,
      epochAbove: (known) => known + 1,
      onElected: (epoch) => heard.push(`elected ${String(epoch)}`),
      onDeposed: () => heard.push('deposed'),
      logger,
    });
    candidates.push({ controlPlane, election, heard });
    return { controlPlane, election, heard };
  };
  const elected = (candidate: Candidate, epoch: number, timeoutMs: number): Promise<void> =>
    eventually(() => expect(candidate.heard.at(-1)).toBe(`elected ${String(epoch)}`), timeoutMs);
  /** The first leads and reaches the server through the proxy; the second follows. */
  const leaderAndFollower = async (): Promise<readonly [Candidate, Candidate]> => {
    const leader = enter('a', `nats://127.0.0.1:${String(proxy.port)}`);
    await elected(leader, 1, 5_000);
    const follower = enter('b', server.url);
    await eventually(() => expect(follower.election.leader?.coordinatorId).toBe('a'));
    return [leader, follower];
  };

  beforeAll(async () => {
    server = await NatsServerProcess.start();
  });
  beforeEach(async () => {
    numClusters += 1;
    cluster = `cluster-${String(numClusters)}`;
    proxy = await CuttableProxy.start(Number(new URL(server.url).port));
  });
  afterEach(async () => {
    const close = async ({ election, controlPlane }: Candidate): Promise<void> => {
      await election.close();
      await controlPlane.close();
    };
    await Promise.all(candidates.splice(0).map(close));
    await proxy.cut();
  });
  afterAll(() => server.stop());

  it('elect another within 5 s of the last word of the leader, whose late writes are refused', async () => {
    const [leader, follower] = await leaderAndFollower();
    const revision = (await leader.controlPlane.leader.get(LEADER_KEY))?.revision ?? 0;
    await proxy.cut();
    await elected(follower, 2, 5_000);
    expect(leader.heard).toEqual(['elected 1', 'deposed']);
    await proxy.mend();
    await eventually(() => expect(leader.controlPlane.state).toBe('connected'), 8_000);
    expect(await leader.controlPlane.leader.update(LEADER_KEY, bytes('late'), revision)).toBeUndefined();
    await eventually(() => expect(leader.election.leader?.coordinatorId).toBe('b'));
    expect(leader.heard).toEqual(['elected 1', 'deposed']);
  });

  it('have one leader again when the server has lost its store', async () => {
    const [leader, follower] = await leaderAndFollower();
    await server.wipe();
    await server.restart();
    const epochs = (): number[] => [leader, follower].flatMap(({ election }) => election.epoch ?? []);
    await eventually(async () => {
      expect(leader.controlPlane.state).toBe('connected');
      expect((await follower.controlPlane.leader.get(LEADER_KEY))?.value.length).toBeGreaterThan(0);
      expect(epochs()).toHaveLength(1);
    }, 8_000);
    // The former one goes on, or, if it was away for too long, one of them under the next epoch.
    expect([1, 2]).toContain(epochs()[0]);
  });

  it('let another take over at once from a leader that ends', async () => {
    const [leader, follower] = await leaderAndFollower();
    const startMs = performance.now();
    await leader.election.close();
    await elected(follower, 2, 2_000);
    expect(performance.now() - startMs).toBeLessThan(500);
  });
});
