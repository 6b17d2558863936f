import { afterEach, expect, it } from 'vitest';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { expertMemoryBytes } from '@expertmesh/test-kit/expert-memory';
import { NatsCluster, stopClusters } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { scaled } from './chaos-scale.js';
import { expectAllReplicas, spreadEvenly } from './replicas.js';
import { report } from './report.js';
import { promptsFor, TokenStreams } from './token-streams.js';

const NUM_STREAMS = scaled('CHAOS_LOST_STREAMS', 16, 64);
const NUM_ROUNDS = scaled('CHAOS_LOST_ROUNDS', 1, 5);
const NUM_TOKENS = 80;
const FAILS_WITHIN_MS = 5_000;
const SERVES_WITHIN_MS = 10_000;
const NUM_EXPERTS = 4 * 128;
const WORKER_IDS = ['w1', 'w2', 'w3'];

describeNats('the last replica of a third of the experts is lost', () => {
  afterEach(stopClusters);

  /** @param numFitting experts on a worker; all of them where absent */
  async function startCluster(numFitting = NUM_EXPERTS): Promise<NatsCluster> {
    const storeDir = await packDemoStore();
    const memoryBudgetBytes = Math.max(1_000_000, Math.ceil(numFitting * (await expertMemoryBytes(storeDir))));
    return NatsCluster.start({
      storeDir,
      coordinatorIds: ['c1', 'c2'],
      workers: WORKER_IDS.map((workerId) => ({ workerId, memoryBudgetBytes })),
      heartbeatTimeoutMs: 1_000,
      coordinatorFlags: ['--max-num-seqs', '128'],
    });
  }

  async function underWay(cluster: NatsCluster): Promise<{ quiet: TokenStreams; streams: TokenStreams }> {
    const [c1, c2] = [cluster.coordinator('c1'), cluster.coordinator('c2')];
    const begin = (): TokenStreams => new TokenStreams([c1.url, c2.url], promptsFor(NUM_STREAMS), NUM_TOKENS);
    const quiet = begin();
    await quiet.ended;
    expect(quiet.failures).toEqual([]);
    const streams = begin();
    await c1.process.until(() => streams.hasTokens(5), 'has begun all streams');
    return { quiet, streams };
  }

  it('R5: with room elsewhere every stream waits, and ends with the same tokens', async () => {
    const cluster = await startCluster();
    const c1 = cluster.coordinator('c1');
    const servedMs: number[] = [];
    for (let round = 0; round < NUM_ROUNDS; round++) {
      const workerId = WORKER_IDS[round % WORKER_IDS.length] ?? '';
      const { quiet, streams } = await underWay(cluster);
      const killedMs = performance.now();
      await cluster.worker(workerId).process.stop('SIGKILL');
      await streams.ended;
      expect(streams.failures).toEqual([]);
      expect(streams.differences(quiet)).toEqual([]);
      servedMs.push(
        ...streams.streams.map(({ atMs }) => (atMs.find((ms) => ms > killedMs + 250) ?? Infinity) - killedMs),
      );
      await c1.ready(SERVES_WITHIN_MS);
      await cluster.addWorker({ workerId });
      await spreadEvenly(c1);
      await expectAllReplicas(cluster, c1);
    }
    report('R5 only replica lost, room elsewhere', {
      rounds: NUM_ROUNDS,
      streams: NUM_STREAMS,
      failed: 0,
      'serving after max ms': Math.max(...servedMs),
    });
    expect(Math.max(...servedMs)).toBeLessThanOrEqual(SERVES_WITHIN_MS);
  });

  it('R4: without room every request fails clearly, and no token lacks an expert', async () => {
    const cluster = await startCluster(Math.ceil(NUM_EXPERTS / WORKER_IDS.length) + 1);
    const { quiet, streams } = await underWay(cluster);
    const killedMs = performance.now();
    await cluster.worker('w2').process.stop('SIGKILL');
    await streams.ended;
    const endsMs = streams.streams.map(({ endedMs }) => endedMs - killedMs);
    expect(streams.failures).toHaveLength(NUM_STREAMS);
    for (const failure of streams.failures)
      expect(failure).toMatch(/worker w2 .*no other worker has room for its experts/);
    // What came before is of the answer.
    expect(streams.differences(quiet)).toEqual([]);
    const later = new TokenStreams([cluster.coordinator('c1').url], promptsFor(1), 1);
    await later.ended;
    expect(later.failures[0]).toMatch(/worker w2/);
    report('R4 only replica lost, no room', {
      streams: NUM_STREAMS,
      failed: streams.failures.length,
      'failing after max ms': Math.max(...endsMs),
    });
    expect(Math.max(...endsMs)).toBeLessThanOrEqual(FAILS_WITHIN_MS);
  });
});
