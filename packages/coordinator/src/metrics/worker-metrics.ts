import { Counter, Gauge, type Registry } from 'prom-client';
import { type WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';

/** What a worker that is up said of itself in the last heartbeat. */
export interface HeardWorker {
  readonly workerId: string;
  readonly stats: Pick<WorkerStats, 'scrubbedBytes' | 'numDamagedExperts' | 'numWithdrawnExperts'>;
}

/** What workers find in their own memory: they have no HTTP port, so whoever asks this coordinator sees it. */
export function registerWorkerMetrics(registry: Registry, workers: () => readonly HeardWorker[]): void {
  new Counter({
    name: 'expertmesh:worker_damaged_experts_total',
    help: 'Experts whose weights a worker found damaged in its memory, since its start.',
    labelNames: ['worker'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker, stats } of workers()) this.inc({ worker }, stats.numDamagedExperts);
    },
  });
  new Gauge({
    name: 'expertmesh:worker_withdrawn_experts',
    help: 'Experts that a worker should serve and does not, as they were damaged and are not loaded again yet.',
    labelNames: ['worker'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker, stats } of workers()) this.set({ worker }, stats.numWithdrawnExperts);
    },
  });
  new Counter({
    name: 'expertmesh:worker_scrubbed_bytes_total',
    help: 'Bytes of weights in memory that a worker compared with the manifest and found right, since its start.',
    labelNames: ['worker'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker, stats } of workers()) this.inc({ worker }, stats.scrubbedBytes);
    },
  });
}
