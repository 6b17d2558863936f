import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock, systemClock } from '@expertmesh/shared/rpc/clock';
import { type WorkerEvent } from '../membership/worker-event.js';
import { isCanaryDue, notReadyBecause, type ReadinessState } from './readiness.js';
import { type ReadinessGate } from './readiness-gate.js';

export interface ServingMonitorOptions {
  readonly workerIds: readonly string[];
  readonly gate: ReadinessGate;
  /** Sends a canary token through every layer and worker. */
  readonly runCanary: () => Promise<void>;
  readonly logger: Logger;
  readonly clock?: Clock;
}

const CANARY_RETRY_MS = 1_000;

/** Follows what the engine and the workers report, and opens the gate when a canary token has come through. */
export class ServingMonitor {
  readonly #options: ServingMonitorOptions;
  #state: ReadinessState;
  #isCanaryUnderWay = false;
  #isClosed = false;
  #cancelRetry: () => void = () => undefined;

  constructor(options: ServingMonitorOptions) {
    this.#options = options;
    this.#state = {
      engine: { loaded: 0, total: 0 },
      workers: new Map(options.workerIds.map((workerId) => [workerId, { because: 'has not answered yet' }])),
      lostConnections: new Map(),
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

  /** @param lostBecause undefined when the data-plane connection to the worker is there. */
  connectionEvent(workerId: string, lostBecause: string | undefined): void {
    const lostConnections = new Map(this.#state.lostConnections);
    lostConnections.delete(workerId);
    if (lostBecause !== undefined) lostConnections.set(workerId, lostBecause);
    else if (!this.#state.lostConnections.has(workerId)) return;
    this.#change({ lostConnections, canary: 'due' });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
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
    if (isCanaryDue(this.#state) && !this.#isCanaryUnderWay) void this.#sendCanary();
  }

  // Never rejects. What changes during the canary makes its result worthless, so another one is sent then.
  async #sendCanary(): Promise<void> {
    const { workers, lostConnections } = this.#state;
    this.#isCanaryUnderWay = true;
    // This canary is the retry: a timer left over would shut the gate again after it has passed.
    this.#cancelRetry();
    const canary = await this.#canary();
    this.#isCanaryUnderWay = false;
    if (this.#isClosed) return;
    const isStale = this.#state.workers !== workers || this.#state.lostConnections !== lostConnections;
    if (!isStale && canary !== 'passed') this.#retryLater();
    this.#change({ canary: isStale ? 'due' : canary });
  }

  #retryLater(): void {
    const { clock = systemClock } = this.#options;
    this.#cancelRetry = clock.after(CANARY_RETRY_MS, () => {
      this.#change({ canary: 'due' });
    });
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
