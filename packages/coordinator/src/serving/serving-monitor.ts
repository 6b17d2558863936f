import { setTimeout as delay } from 'node:timers/promises';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type WorkerEvent } from '../membership/worker-event.js';
import { isCanaryDue, notReadyBecause, type ReadinessState } from './readiness.js';
import { type ReadinessGate } from './readiness-gate.js';

export interface ServingMonitorOptions {
  readonly workerIds: readonly string[];
  readonly gate: ReadinessGate;
  /** Sends a canary token through every layer and worker. */
  readonly runCanary: () => Promise<void>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const CANARY_RETRY_MS = 1_000;

/** Follows what the engine and the workers report, and opens the gate when a canary token has come through. */
export class ServingMonitor {
  readonly #options: ServingMonitorOptions;
  #state: ReadinessState;
  #isCanaryUnderWay = false;

  constructor(options: ServingMonitorOptions) {
    this.#options = options;
    this.#state = {
      engine: { loaded: 0, total: 0 },
      workers: new Map(options.workerIds.map((workerId) => [workerId, { because: 'has not answered yet' }])),
      canary: 'due',
    };
    this.#change({});
  }

  engineLoading(loaded: number, total: number): void {
    this.#change({ engine: { loaded, total } });
  }

  engineLoaded(): void {
    this.#change({ engine: 'loaded' });
  }

  workerEvent(event: WorkerEvent): void {
    const { logger } = this.#options;
    switch (event.type) {
      case 'up':
        logger.info({ workerId: event.workerId, dataAddress: event.dataAddress }, 'worker is up');
        this.#worker(event.workerId, 'up');
        return;
      case 'down':
        logger.warn({ workerId: event.workerId, reason: event.reason }, 'worker is down');
        this.#worker(event.workerId, { because: `is away: ${event.reason}` });
        return;
      case 'progress':
        this.#worker(event.workerId, {
          because: `is loading (${String(event.loadedLayers)} of ${String(event.totalLayers)} layers)`,
        });
    }
  }

  #worker(workerId: string, state: 'up' | { readonly because: string }): void {
    this.#change({ workers: new Map(this.#state.workers).set(workerId, state), canary: 'due' });
  }

  #change(change: Partial<ReadinessState>): void {
    this.#state = { ...this.#state, ...change };
    const { gate, logger } = this.#options;
    const wasReady = gate.notReadyBecause === undefined;
    const reason = notReadyBecause(this.#state);
    if (reason === undefined) gate.open();
    else gate.shut(reason);
    if (reason === undefined && !wasReady) logger.info('ready: the canary token went through every layer and worker');
    if (reason !== undefined && wasReady) logger.warn({ reason }, 'not ready');
    if (isCanaryDue(this.#state) && !this.#isCanaryUnderWay) void this.#sendCanaries();
  }

  // Never rejects. A change during the canary makes its result worthless, so another one is sent.
  async #sendCanaries(): Promise<void> {
    this.#isCanaryUnderWay = true;
    while (isCanaryDue(this.#state) && !this.#options.signal.aborted) {
      const { workers } = this.#state;
      const canary = await this.#canary();
      if (this.#state.workers !== workers) continue;
      this.#change({ canary });
      if (canary === 'passed') break;
      await delay(CANARY_RETRY_MS, undefined, { signal: this.#options.signal }).catch(() => undefined);
    }
    this.#isCanaryUnderWay = false;
  }

  async #canary(): Promise<Exclude<ReadinessState['canary'], 'due'>> {
    try {
      await this.#options.runCanary();
      return 'passed';
    } catch (error) {
      const failedBecause = ExpertmeshError.from(error).message;
      this.#options.logger.warn({ failedBecause }, 'the canary token failed');
      return { failedBecause };
    }
  }
}
