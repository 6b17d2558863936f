import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { moeLayerIndices } from '@expertmesh/shared/model/model-spec';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { ThreadedEngine } from '../engine/threaded-engine.js';
import { type WorkerEvent, type WorkerStatus } from '../membership/worker-event.js';
import { WorkerPool } from '../membership/worker-pool.js';
import { chooseCompute } from './choose-compute.js';
import { type ReadinessGate } from './readiness-gate.js';
import { ServingMonitor } from './serving-monitor.js';

export interface ClusterOptions {
  readonly config: CoordinatorConfig;
  readonly store: ExpertStore;
  readonly gate: ReadinessGate;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** The engine thread has died: nothing can be generated any more. */
  readonly onDeath: (error: ExpertmeshError) => void;
}

/** Workers and dispatch at one moment, for operators. */
export interface ClusterStatus {
  readonly workers: readonly WorkerStatus[];
  readonly dispatch: DispatchStats | undefined;
}

/** The engine thread and the workers: loads them side by side and carries news of the workers to the engine. */
export class Cluster {
  readonly #options: ClusterOptions;
  #engine: ThreadedEngine | undefined;
  #pool: WorkerPool | undefined;
  #monitor: ServingMonitor | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Resolves when the dense part of the model is loaded; workers come and go after that too. */
  async start(): Promise<void> {
    const { config, store, gate, logger, signal, onDeath } = this.#options;
    const runCanary = async (): Promise<void> => this.#engine?.canary();
    // Workers may be up before the engine is there to hear of it.
    const early: WorkerEvent[] = [];
    const pool = new WorkerPool({
      controlAddresses: config.workers,
      withLocalExperts: config.localExperts,
      storeId: store.storeId,
      moeLayerIndices: moeLayerIndices(store.spec),
      numExperts: store.spec.numExperts,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
      heartbeatTimeoutMs: config.heartbeatTimeoutMs,
      onEvent: (event) => {
        if (this.#engine === undefined) early.push(event);
        else tell(this.#engine, event);
        monitor.workerEvent(event);
      },
    });
    this.#pool = pool;
    const monitor = new ServingMonitor({ workerIds: pool.workerIds, gate, runCanary, logger });
    this.#monitor = monitor;
    const provider = await chooseCompute(config, store, pool.localShards, logger, signal);
    const engine = await ThreadedEngine.start(
      {
        thread: {
          storeDir: store.dir,
          provider,
          numThreads: config.numThreads,
          verify: { mode: config.verify, numThreads: config.numThreads, cacheDir: config.cacheDir },
          localShards: pool.localShards,
          maxBatchTokens: config.maxBatchTokens,
          maxStepStretch: config.maxStepStretch,
          maxNumSeqs: config.maxNumSeqs,
          maxModelLen: gate.limits.maxModelLen,
          kvCacheBudgetBytes: config.kvCacheBytes,
          speculation: config.speculative,
          microBatches: config.microBatches,
          wireDtype: config.wireDtype,
          dispatchTimeoutMs: config.dispatchTimeoutMs,
        },
        vocabSize: store.spec.vocabSize,
        onLoading: (loaded, total) => {
          monitor.engineLoading(loaded, total);
        },
        onConnection: (workerId, lostBecause) => {
          monitor.connectionEvent(workerId, lostBecause);
        },
        onDeath,
      },
      signal,
    );
    this.#engine = engine;
    engine.setPlacement(pool.placement);
    for (const event of early) tell(engine, event);
    gate.attach(engine);
    monitor.engineLoaded();
  }

  status(): ClusterStatus {
    return { workers: this.#pool?.status() ?? [], dispatch: this.#engine?.dispatchStats() };
  }

  /** Sequences that run end with an error; workers are left as they are. */
  async close(deadline: AbortSignal): Promise<void> {
    this.#pool?.close();
    this.#monitor?.close();
    await this.#engine?.close(deadline);
  }
}

function tell(engine: ThreadedEngine, event: WorkerEvent): void {
  switch (event.type) {
    case 'up':
      engine.setWorkerUp(event.workerId, event.dataAddress);
      return;
    case 'down':
      engine.setWorkerDown(event.workerId, event.reason);
      return;
    case 'progress':
      return;
  }
}
