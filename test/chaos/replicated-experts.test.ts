import { afterAll, beforeAll, expect, it } from 'vitest';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { NatsCluster, stopClusters } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { pause } from '@expertmesh/test-kit/process';
import { StreamLoad } from '@expertmesh/test-kit/stream-load';
import { decidedQuestions } from '../e2e/demo-questions.js';
import { scaled } from './chaos-scale.js';
import { expectAllReplicas } from './replicas.js';
import { report } from './report.js';
import { ResumableLoad } from './resumable-load.js';
import { promptsFor, quantile, TokenStreams } from './token-streams.js';

const KILL = {
  numStreams: scaled('CHAOS_KILL_STREAMS', 24, 100),
  numRounds: scaled('CHAOS_KILL_ROUNDS', 1, 20),
  numTokens: scaled('CHAOS_KILL_TOKENS', 60, 120),
};
const PAUSE = {
  numStreams: scaled('CHAOS_PAUSE_STREAMS', 16, 64),
  numRounds: scaled('CHAOS_PAUSE_ROUNDS', 1, 3),
  numTokens: 120,
  pauseMs: scaled('CHAOS_PAUSE_MS', 1_500, 30_000),
};
const ROLLING = { numStreams: 8, numRounds: scaled('CHAOS_ROLLING_ROUNDS', 1, 3) };
const MAX_STALL_MS = 1_000;
const P99_STALL_MS = 500;
const FAILOVER_WITHIN_MS = 1_000;
const PATIENCE_MS = 30_000;
const HEARTBEAT_TIMEOUT_MS = 500;
const WORKER_IDS = ['w1', 'w2', 'w3'];

interface Asked {
  readonly numStreams: number;
  readonly numTokens: number;
}

describeNats('three workers, every expert on two of them', () => {
  let cluster: NatsCluster;
  beforeAll(async () => {
    cluster = await NatsCluster.start({
      storeDir: await packDemoStore(),
      coordinatorIds: ['c1', 'c2'],
      workers: WORKER_IDS.map((workerId) => ({ workerId })),
      heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
      coordinatorFlags: [
        ...['--survive', '1', '--repair-after-ms', '600000', '--max-num-seqs', '128'],
        ...['--heartbeat-interval-ms', '150'],
      ],
    });
  });
  afterAll(stopClusters);

  /** What streams of c1 are when nothing happens, and the way to begin others like them. */
  async function quietRun({ numStreams, numTokens }: Asked) {
    const prompts = promptsFor(numStreams);
    const { url } = cluster.coordinator('c1');
    const begin = (): TokenStreams => new TokenStreams([url], prompts, numTokens);
    const quiet = begin();
    await quiet.ended;
    expect(quiet.failures).toEqual([]);
    return { begin, quiet };
  }

  it(`R1, R2: ${String(KILL.numStreams)} greedy streams notice nothing when a worker is killed`, async () => {
    const c1 = cluster.coordinator('c1');
    const { begin, quiet } = await quietRun(KILL);
    const stallsMs: number[] = [];
    let numDiffering = 0;
    for (let round = 0; round < KILL.numRounds; round++) {
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
      for (const { tokenIds } of streams.streams) expect(tokenIds).toHaveLength(KILL.numTokens);
      stallsMs.push(...streams.stallsMs(killedMs));
      numDiffering += streams.numDiffering(quiet);
      await cluster.addWorker({ workerId });
    }
    const [p99Ms, maxMs] = [quantile(stallsMs, 0.99), Math.max(...stallsMs)];
    report('R1/R2 worker killed', {
      rounds: KILL.numRounds,
      streams: KILL.numStreams,
      failed: 0,
      differing: 0,
      'differing after their end': numDiffering,
      'stall p99 ms': p99Ms,
      'max ms': maxMs,
    });
    expect(p99Ms).toBeLessThanOrEqual(P99_STALL_MS);
    expect(maxMs).toBeLessThanOrEqual(MAX_STALL_MS);
  });

  it('R3: streams go on within a second when a worker is stopped, and late answers change nothing', async () => {
    const c1 = cluster.coordinator('c1');
    const { begin, quiet } = await quietRun(PAUSE);
    const stallsMs: number[] = [];
    for (let round = 0; round < PAUSE.numRounds; round++) {
      const { child } = cluster.worker(WORKER_IDS[round % WORKER_IDS.length] ?? '').process;
      await expectAllReplicas(cluster, c1);
      const first = begin();
      await c1.process.until(() => first.hasTokens(5), 'has begun all streams');
      const stoppedMs = performance.now();
      child.kill('SIGSTOP');
      await first.ended;
      await pause(Math.max(0, PAUSE.pauseMs - (performance.now() - stoppedMs)));
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
      rounds: PAUSE.numRounds,
      streams: PAUSE.numStreams,
      'failover p50 ms': quantile(stallsMs, 0.5),
      'max ms': maxMs,
    });
    expect(maxMs).toBeLessThanOrEqual(FAILOVER_WITHIN_MS);
  });

  it('R9: nothing fails when all workers are started again, nor, with the helper, when a coordinator is', async () => {
    const c2 = cluster.coordinator('c2');
    const plain = new StreamLoad([c2.openai], decidedQuestions(ROLLING.numStreams));
    const urls = (): readonly [string, string] => [cluster.coordinator('c1').url, c2.url];
    const resumable = new ResumableLoad(urls, decidedQuestions(ROLLING.numStreams), PATIENCE_MS);
    try {
      for (let round = 0; round < ROLLING.numRounds; round++) {
        await plain.round();
        for (const workerId of WORKER_IDS) {
          await cluster.worker(workerId).process.stop('SIGTERM');
          await cluster.addWorker({ workerId });
          await expectAllReplicas(cluster, c2);
        }
        await plain.round();
        await cluster.coordinator('c1').process.stop(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
        await plain.round();
        await (await cluster.addCoordinator('c1')).ready();
        await plain.round();
      }
    } finally {
      const [ofPlain, ofHelper] = [await plain.stop(), await resumable.stop()];
      report('R9 rolling restart', {
        rounds: ROLLING.numRounds,
        answers: ofPlain.numAnswers,
        failed: ofPlain.failures.length,
        'with helper': ofHelper.numAnswers,
        'helper failed': ofHelper.failures.length,
        resumed: ofHelper.numResumed,
        'longest ms': ofHelper.longestMs,
      });
      expect(ofPlain.failures).toEqual([]);
      expect([...ofPlain.wrong, ...ofHelper.wrong]).toEqual([]);
      expect(ofHelper.failures).toEqual([]);
      expect(ofHelper.numResumed).toBeGreaterThan(0);
    }
  });
});
