import { afterAll, beforeAll, expect, it } from 'vitest';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { NatsCluster, stopClusters } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { StreamLoad } from '@expertmesh/test-kit/stream-load';
import { decidedQuestions } from '../e2e/demo-questions.js';
import { scaled } from './chaos-scale.js';
import { expectAllReplicas } from './replicas.js';
import { report } from './report.js';
import { ResumableLoad } from './resumable-load.js';

const NUM_ROUNDS = scaled('CHAOS_ROLLING_ROUNDS', 1, 3);
const NUM_STREAMS = 8;
const PATIENCE_MS = 30_000;
const WORKER_IDS = ['w1', 'w2', 'w3'];

describeNats('R9: everything is started again, one after the other, under load', () => {
  let cluster: NatsCluster;
  beforeAll(async () => {
    cluster = await NatsCluster.start({
      storeDir: await packDemoStore(),
      coordinatorIds: ['c1', 'c2'],
      workers: WORKER_IDS.map((workerId) => ({ workerId })),
      coordinatorFlags: ['--survive', '1', '--repair-after-ms', '600000'],
    });
  });
  afterAll(stopClusters);

  it('fails no request when all workers are, and none with the client helper when a coordinator is', async () => {
    const c2 = cluster.coordinator('c2');
    const plain = new StreamLoad([c2.openai], decidedQuestions(NUM_STREAMS));
    const urls = (): readonly [string, string] => [cluster.coordinator('c1').url, c2.url];
    const resumable = new ResumableLoad(urls, decidedQuestions(NUM_STREAMS), PATIENCE_MS);
    try {
      for (let round = 0; round < NUM_ROUNDS; round++) {
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
        rounds: NUM_ROUNDS,
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
