import { type WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';

interface Reading {
  readonly bootId: string;
  readonly uptimeMs: number;
  readonly computeUs: number;
}

/** Readings of each worker that are looked back over: about ten seconds of heartbeats. */
const MAX_READINGS = 20;

/** How busy workers are, from the counters that they report with every heartbeat. */
export class WorkerRates {
  readonly #readings = new Map<string, Reading[]>();

  add(workerId: string, { bootId, uptimeMs, computeUs }: WorkerStats): void {
    const before = (this.#readings.get(workerId) ?? []).filter((reading) => reading.bootId === bootId);
    this.#readings.set(workerId, [...before, { bootId, uptimeMs, computeUs }].slice(-MAX_READINGS));
  }

  forget(workerId: string): void {
    this.#readings.delete(workerId);
  }

  /** Part of the time in which it computed, 0 to 1. */
  utilisation(workerId: string): number {
    const readings = this.#readings.get(workerId) ?? [];
    const [first, last] = [readings[0], readings.at(-1)];
    if (first === undefined || last === undefined || last.uptimeMs <= first.uptimeMs) return 0;
    return Math.min(1, (last.computeUs - first.computeUs) / 1000 / (last.uptimeMs - first.uptimeMs));
  }
}
