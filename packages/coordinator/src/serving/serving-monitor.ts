import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock, systemClock } from '@expertmesh/shared/rpc/clock';
import { isSameShards } from '../control/placement/shards.js';
import { type KnownWorker } from '../control/workers/known-workers.js';
import { isCanaryDue, missingExpert, notReadyBecause, type CanaryState, type ReadinessState } from './readiness.js';
import { type ReadinessGate } from './readiness-gate.js';

export interface ServingMonitorOptions {
  readonly gate: ReadinessGate;
  readonly logger: Logger;
  readonly clock?: Clock;
}

const CANARY_RETRY_MS = 1_000;
const NO_CANARY: CanaryState = { result: 'none', isDue: true };

/** Follows what engine, placement and workers report, and opens the gate when a canary token has come through. */
export class ServingMonitor {
  readonly #options: ServingMonitorOptions;
  readonly #known = new Map<string, KnownWorker>();
  #state: ReadinessState = {
    engine: { loaded: 0, total: 0 },
    placement: { because: 'no placement yet' },
    workers: new Map(),
    lostConnections: new Map(),
    canary: NO_CANARY,
  };
  /** Grows when a canary is asked for: one that was sent before says nothing of what has changed since. */
  #numWishes = 0;
  #isCanaryUnderWay = false;
  #isClosed = false;
  #cancelRetry: () => void = () => undefined;
  /** None is due before the engine has loaded. */
  #runCanary: () => Promise<void> = () => Promise.reject(new Error('the engine has not loaded'));

  constructor(options: ServingMonitorOptions) {
    this.#options = options;
    this.#change({});
  }

  engineLoading(loaded: number, total: number): void {
    this.#change({ engine: { loaded, total } });
  }

  /** @param runCanary sends a canary token through every layer and every worker that the placement needs */
  engineLoaded(runCanary: () => Promise<void>): void {
    this.#runCanary = runCanary;
    this.#change({ engine: 'loaded' });
  }

  /**
   * The engine routes by this placement from now on. Its steps during a change have been verified before they come
   * here.
   */
  placementApplied(placement: Placement): void {
    const before = this.#state.placement;
    if (before === placement) return;
    if (!('replicas' in before) || before.version !== placement.version) this.#wishCanary();
    this.#change({ placement });
  }

  /** @param because why there is no placement yet. */
  noPlacement(because: string): void {
    if (!('replicas' in this.#state.placement)) this.#change({ placement: { because } });
  }

  workerChanged(worker: KnownWorker): void {
    const before = this.#known.get(worker.workerId);
    this.#known.set(worker.workerId, worker);
    const isUp = worker.state === 'up';
    if (before?.state === worker.state && before.reason === worker.reason && isSameShards(before.holds, worker.holds))
      return;
    if (isUp && before?.state !== 'up') this.#wishCanary();
    const holds = new Map(worker.holds.map(({ layerIndex, expertIds }) => [layerIndex, new Set(expertIds)]));
    const because = isUp ? 'has not been given its experts yet' : `is away: ${worker.reason}`;
    this.#change({ workers: new Map(this.#state.workers).set(worker.workerId, { isUp, because, holds }) });
  }

  workerForgotten(workerId: string): void {
    this.#known.delete(workerId);
    const workers = new Map(this.#state.workers);
    workers.delete(workerId);
    const lostConnections = new Map(this.#state.lostConnections);
    lostConnections.delete(workerId);
    this.#change({ workers, lostConnections });
  }

  /** @param note why a worker that is up lacks experts; completes "worker X ...". */
  workerLacks(workerId: string, note: string): void {
    const worker = this.#state.workers.get(workerId);
    if (worker?.isUp !== true) return;
    this.#change({ workers: new Map(this.#state.workers).set(workerId, { ...worker, because: note }) });
  }

  /** @param lostBecause undefined when the data-plane connection to the worker is there. */
  connectionEvent(workerId: string, lostBecause: string | undefined): void {
    // The engine tells it from another thread, and the worker may have been forgotten meanwhile.
    if (!this.#known.has(workerId)) return;
    const lostConnections = new Map(this.#state.lostConnections);
    lostConnections.delete(workerId);
    if (lostBecause !== undefined) lostConnections.set(workerId, lostBecause);
    else if (!this.#state.lostConnections.has(workerId)) return;
    this.#wishCanary();
    this.#change({ lostConnections });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
  }

  #wishCanary(): void {
    this.#numWishes += 1;
    this.#state = { ...this.#state, canary: { ...this.#state.canary, isDue: true } };
  }

  #change(change: Partial<ReadinessState>): void {
    this.#state = { ...this.#state, ...change };
    // Whoever lacked experts has to be seen to compute again.
    if (missingExpert(this.#state) !== undefined) {
      this.#numWishes += 1;
      this.#state = { ...this.#state, canary: NO_CANARY };
    }
    this.#moveGate();
    if (isCanaryDue(this.#state) && !this.#isCanaryUnderWay) void this.#sendCanary();
  }

  #moveGate(): void {
    const { gate, logger } = this.#options;
    const wasReady = gate.notReadyBecause === undefined;
    const reason = notReadyBecause(this.#state);
    if (reason === undefined) gate.open();
    else gate.shut(reason);
    if (reason === undefined && !wasReady) logger.info('ready: the canary token went through every layer and worker');
    if (reason !== undefined && wasReady) logger.warn({ reason }, 'not ready');
  }

  // Never rejects. What changes during the canary makes its result worthless, so another one is sent then.
  async #sendCanary(): Promise<void> {
    const numWishes = this.#numWishes;
    this.#isCanaryUnderWay = true;
    // This canary is the retry: a timer left over would ask for another one after it has passed.
    this.#cancelRetry();
    const result = await this.#canary();
    this.#isCanaryUnderWay = false;
    if (this.#isClosed) return;
    const isStale = numWishes !== this.#numWishes;
    if (!isStale && result !== 'passed') this.#retryLater();
    this.#change(isStale ? {} : { canary: { result, isDue: false } });
  }

  #retryLater(): void {
    const { clock = systemClock } = this.#options;
    this.#cancelRetry = clock.after(CANARY_RETRY_MS, () => {
      this.#wishCanary();
      this.#change({});
    });
  }

  async #canary(): Promise<Exclude<CanaryState['result'], 'none'>> {
    try {
      await this.#runCanary();
      return 'passed';
    } catch (error) {
      const failedBecause = ExpertmeshError.from(error).message;
      this.#options.logger.warn({ failedBecause }, 'the canary token failed');
      return { failedBecause };
    }
  }
}
