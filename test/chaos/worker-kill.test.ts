import { afterAll, beforeAll, expect, it } from 'vitest';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { NatsCluster, stopClusters } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { pause } from '@expertmesh/test-kit/process';
import { scaled } from './chaos-scale.js';
import { expectAllReplicas } from './replicas.js';
import { report } from './report.js';
import { promptsFor, quantile, TokenStreams } from './token-streams.js';

const NUM_STREAMS = scaled('CHAOS_KILL_STREAMS', 24, 100);
const NUM_ROUNDS = scaled('CHAOS_KILL_ROUNDS', 2, 20);
const NUM_TOKENS = scaled('CHAOS_KILL_TOKENS', 60, 120);
/** Beyond a stream's own gaps; the short form shares its cores with whatever else is tested. */
const MAX_STALL_MS = 1_000;
const P99_STALL_MS = 500;
const WORKER_IDS = ['w1', 'w2', 'w3'];

describeNats('R1, R2: one of three workers is killed, and every expert is on two', () => {
  let cluster: NatsCluster;
  beforeAll(async () => {
    cluster = await NatsCluster.start({
      storeDir: await packDemoStore(),
      coordinatorIds: ['c1'],
      workers: WORKER_IDS.map((workerId) => ({ workerId })),
      coordinatorFlags: ['--survive', '1', '--repair-after-ms', '600000', '--max-num-seqs', '128'],
    });
  });
  afterAll(stopClusters);

  it(`${String(NUM_STREAMS)} greedy streams notice nothing in ${String(NUM_ROUNDS)} rounds`, async () => {
    const c1 = cluster.coordinator('c1');
    const prompts = promptsFor(NUM_STREAMS);
    const begin = (): TokenStreams => new TokenStreams([c1.url], prompts, NUM_TOKENS);
    const quiet = begin();
    await quiet.ended;
    expect(quiet.failures).toEqual([]);
    const stallsMs: number[] = [];
    let numDiffering = 0;
    for (let round = 0; round < NUM_ROUNDS; round++) {
      const workerId = WORKER_IDS[round % WORKER_IDS.length] ?? '';
      await expectAllReplicas(cluster, c1);
      const streams = begin();
      await c1.process.until(() => streams.hasTokens(5), 'has begun all streams');
      await pause(37 * (round % 7));
      const killedMs = performance.now();
      await cluster.worker(workerId).process.stop('SIGKILL');
      await streams.ended;
      expect(streams.failures, `round ${String(round)}`).toEqual([]);
      expect(streams.differences(quiet), `round ${String(round)}`).toEqual([]);
      for (const { tokenIds } of streams.streams) expect(tokenIds).toHaveLength(NUM_TOKENS);
      stallsMs.push(...streams.stallsMs(killedMs));
      numDiffering += streams.numDiffering(quiet);
      await cluster.addWorker({ workerId });
    }
    const [p99Ms, maxMs] = [quantile(stallsMs, 0.99), Math.max(...stallsMs)];
    report('R1/R2 worker killed', {
      rounds: NUM_ROUNDS,
      streams: NUM_STREAMS,
      failed: 0,
      differing: 0,
      'differing after their end': numDiffering,
      'stall p99 ms': p99Ms,
      'max ms': maxMs,
    });
    expect(p99Ms).toBeLessThanOrEqual(P99_STALL_MS);
    expect(maxMs).toBeLessThanOrEqual(MAX_STALL_MS);
  });
});
