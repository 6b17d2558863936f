import { afterAll, beforeAll, expect, it } from 'vitest';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { NatsCluster, stopClusters } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { pause } from '@expertmesh/test-kit/process';
import { scaled } from './chaos-scale.js';
import { expectAllReplicas } from './replicas.js';
import { report } from './report.js';
import { promptsFor, quantile, TokenStreams } from './token-streams.js';

const NUM_STREAMS = scaled('CHAOS_PAUSE_STREAMS', 16, 64);
const NUM_ROUNDS = scaled('CHAOS_PAUSE_ROUNDS', 1, 3);
const PAUSE_MS = scaled('CHAOS_PAUSE_MS', 3_000, 30_000);
const NUM_TOKENS = 150;
const HEARTBEATS = ['--heartbeat-interval-ms', '150'];
const HEARTBEAT_TIMEOUT_MS = 500;
const FAILOVER_WITHIN_MS = 1_000;
const WORKER_IDS = ['w1', 'w2', 'w3'];

describeNats('R3: one of three workers is stopped and goes on later, and every expert is on two', () => {
  let cluster: NatsCluster;
  beforeAll(async () => {
    cluster = await NatsCluster.start({
      storeDir: await packDemoStore(),
      coordinatorIds: ['c1'],
      workers: WORKER_IDS.map((workerId) => ({ workerId })),
      heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
      coordinatorFlags: ['--survive', '1', '--repair-after-ms', '600000', ...HEARTBEATS],
    });
  });
  afterAll(stopClusters);

  it(`streams go on within ${String(FAILOVER_WITHIN_MS)} ms, and late answers change nothing`, async () => {
    const c1 = cluster.coordinator('c1');
    const prompts = promptsFor(NUM_STREAMS);
    const begin = (): TokenStreams => new TokenStreams([c1.url], prompts, NUM_TOKENS);
    const quiet = begin();
    await quiet.ended;
    const stallsMs: number[] = [];
    for (let round = 0; round < NUM_ROUNDS; round++) {
      const { child } = cluster.worker(WORKER_IDS[round % WORKER_IDS.length] ?? '').process;
      await expectAllReplicas(cluster, c1);
      const first = begin();
      await c1.process.until(() => first.hasTokens(5), 'has begun all streams');
      const stoppedMs = performance.now();
      child.kill('SIGSTOP');
      await first.ended;
      await pause(Math.max(0, PAUSE_MS - (performance.now() - stoppedMs)));
      // Under way when the worker wakes up, with what it was asked for in hand.
      const second = begin();
      await c1.process.until(() => second.hasTokens(5), 'has begun all streams');
      child.kill('SIGCONT');
      await second.ended;
      for (const streams of [first, second]) {
        expect(streams.failures).toEqual([]);
        expect(streams.differences(quiet)).toEqual([]);
      }
      stallsMs.push(...first.stallsMs(stoppedMs));
    }
    const maxMs = Math.max(...stallsMs);
    report('R3 worker stopped', {
      rounds: NUM_ROUNDS,
      streams: NUM_STREAMS,
      'failover p50 ms': quantile(stallsMs, 0.5),
      'max ms': maxMs,
    });
    expect(maxMs).toBeLessThanOrEqual(FAILOVER_WITHIN_MS);
  });
});
