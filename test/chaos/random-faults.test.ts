import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { NatsCluster, stopClusters, type WorkerSpec } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { pause } from '@expertmesh/test-kit/process';
import { decidedQuestions } from '../e2e/demo-questions.js';
import { scaled } from './chaos-scale.js';
import { FarWire } from './far-wire.js';
import { expectWhole, faultsOf } from './faults.js';
import { growthPerTenMinutes, type MemorySample, residentBytes } from './memory-slope.js';
import { report } from './report.js';
import { ResumableLoad } from './resumable-load.js';
import { clockAhead, MemoryLimit, SmallDisk } from './starved.js';

const DURATION_MS = 1_000 * scaled('CHAOS_RANDOM_SECONDS', 8, 1_800);
const NUM_STREAMS = 8;
const PATIENCE_MS = 60_000;
const ENDS_WITHIN_MS = 120_000;
const SAMPLE_MS = 1_000;
/** Memory fills to its working size first; that is no slope. */
const WARM_PART = 0.5;
/** Below this the noise is larger than any slope. */
const SLOPE_FROM_MS = 600_000;
const MAX_GROWTH = 0.01;
/** For a worker with all experts of the demo model: what it takes, and little more. */
const LITTLE_MEMORY_BYTES = 320 * 2 ** 20;

describeNats('R10: random faults under load', () => {
  let cluster: NatsCluster;
  const disk = SmallDisk.mount();
  const limit = MemoryLimit.create(LITTLE_MEMORY_BYTES);
  const wire = new FarWire();
  /** w1 has little memory, w2 and w3 a clock of their own, and w3 is at the end of a wire. */
  const specs: readonly WorkerSpec[] = [
    { workerId: 'w1', onStarted: ({ process }) => limit?.add(process.pid) },
    { workerId: 'w2', prefix: clockAhead(3_600_000) },
    {
      workerId: 'w3',
      prefix: clockAhead(-86_400_000),
      flags: FarWire.workerFlags,
      onStarted: (worker) => wire.leadTo(worker),
    },
  ];

  beforeAll(async () => {
    cluster = await NatsCluster.start({
      storeDir: await packDemoStore(),
      coordinatorIds: ['c1', 'c2'],
      workers: specs,
      ...(disk && { stateDir: disk.path }),
      heartbeatTimeoutMs: 1_000,
      coordinatorFlags: ['--survive', '1', '--repair-after-ms', '600000'],
    });
  });
  afterAll(async () => {
    await stopClusters();
    await wire.close();
    limit?.close();
    disk?.close();
  });

  it(`every request ends in ${String(DURATION_MS / 1000)} s, with the right answer`, async () => {
    const c2 = cluster.coordinator('c2');
    const load = new ResumableLoad(
      () => [cluster.coordinator('c1').url, c2.url],
      decidedQuestions(NUM_STREAMS),
      PATIENCE_MS,
    );
    const restartWorker = async (workerId: string): Promise<void> => {
      const spec = specs.find((known) => known.workerId === workerId);
      await cluster.addWorker(spec ?? { workerId });
    };
    const faults = faultsOf({ cluster, restartWorker, smallDisk: disk?.path, wire });
    const happened = new Map<string, number>();
    const memory: MemorySample[] = [];
    const sampler = setInterval(() => {
      memory.push({ atMs: performance.now(), bytes: residentBytes(c2.process.pid) });
    }, SAMPLE_MS);
    try {
      const endMs = performance.now() + DURATION_MS;
      while (performance.now() < endMs) {
        const fault = faults[randomInt(faults.length)] ?? faults[0];
        if (fault === undefined) break;
        await fault.happen();
        happened.set(fault.name, (happened.get(fault.name) ?? 0) + 1);
        // Faults overlap with what is left of the one before, and now and then everything has healed.
        if (randomInt(4) === 0) await expectWhole(cluster);
        else await pause(randomInt(0, 2_000));
      }
      await expectWhole(cluster);
    } finally {
      clearInterval(sampler);
      const { numAnswers, numResumed, failures, wrong, longestMs } = await load.stop();
      const growth = growthPerTenMinutes(memory.slice(Math.floor(memory.length * WARM_PART)));
      report('R10 random faults', {
        seconds: DURATION_MS / 1000,
        faults: [...happened].map(([name, count]) => `${String(count)} ${name}`).join(' + '),
        answers: numAnswers,
        resumed: numResumed,
        failed: failures.length,
        'longest ms': longestMs,
        'memory growth % per 10 min': 100 * growth,
      });
      expect(wrong).toEqual([]);
      expect(longestMs).toBeLessThan(ENDS_WITHIN_MS);
      // The helper goes on until an answer is there, and no fault lasts longer than its patience.
      expect(failures).toEqual([]);
      expect(c2.process.hasExited).toBe(false);
      if (DURATION_MS >= SLOPE_FROM_MS) expect(growth).toBeLessThan(MAX_GROWTH);
    }
    const outputs = [...cluster.coordinators.values(), ...cluster.workers.values()].map(
      ({ process }) => process.output,
    );
    for (const output of outputs) expect(output).not.toMatch(/unhandled|uncaught/i);
  });
});
