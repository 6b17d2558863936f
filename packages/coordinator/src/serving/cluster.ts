import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { routingShape } from '@expertmesh/shared/balance/routing-shape';
import { advertisedAddress, ownMemberId } from '@expertmesh/shared/cluster/own-address';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { openControlPlane } from '@expertmesh/shared/control-plane/open-control-plane';
import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Logger } from '@expertmesh/shared/process/logger';
import { ExpertLoadMonitor } from '../balance/expert-load-monitor.js';
import { type ClusterAdmin } from '../control/cluster-admin.js';
import { openCluster, type OpenedCluster } from '../control/open-cluster.js';
import { StateDirectory } from '../control/placement/state-directory.js';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { ThreadedEngine } from '../engine/threaded-engine.js';
import { type WorkerStatus } from '../membership/worker-event.js';
import { chooseCompute } from './choose-compute.js';
import { defaultStateDir } from './default-state-dir.js';
import { engineSide } from './engine-side.js';
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

interface ClusterParts {
  readonly bootId: string;
  readonly controlPlane: ControlPlane;
  readonly monitor: ExpertLoadMonitor;
  readonly serving: ServingMonitor;
  readonly control: OpenedCluster;
}

/**
 * What of the process is the cluster's: the engine thread, the workers, the control plane, and what watches over them.
 */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #parts: ClusterParts;
  #engine: ThreadedEngine | undefined;

  private constructor(options: ClusterOptions, parts: ClusterParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Nothing is loaded and nobody is spoken with before `start`. */
  static async open(options: ClusterOptions): Promise<Cluster> {
    const { config, store, gate, logger } = options;
    const bootId = randomUUID();
    const stateDir = config.stateDir ?? defaultStateDir(config, store);
    const controlPlane = openControlPlane(
      config,
      `expertmesh coordinator ${config.coordinatorId ?? ''}`.trim(),
      logger,
    );
    // Monitor and control plane look at each other, and both at what is started last.
    const late: { control?: OpenedCluster; cluster?: Cluster } = {};
    const monitor = await ExpertLoadMonitor.open({
      shape: routingShape(store.spec),
      storeId: store.storeId,
      bootId,
      controlPlane,
      stateDir,
      windowTokens: config.balanceWindowTokens,
      placement: () => late.control?.loadedPlacement(),
      cluster: () => late.control?.planCluster(),
      logger,
    });
    const serving = new ServingMonitor({ gate, runCanary: async () => late.cluster?.engine?.canary(), logger });
    const stateDirectory = new StateDirectory(join(stateDir, 'placement'), logger);
    const control = openCluster({ config, store, controlPlane, stateDirectory, monitor, serving, logger });
    late.control = control;
    late.cluster = new Cluster(options, { bootId, controlPlane, monitor, serving, control });
    return late.cluster;
  }

  get admin(): ClusterAdmin {
    return this.#parts.control.admin;
  }

  get monitor(): ExpertLoadMonitor {
    return this.#parts.monitor;
  }

  get numMoves(): number {
    return this.#parts.control.numMoves();
  }

  /** undefined until it has loaded. */
  get engine(): ThreadedEngine | undefined {
    return this.#engine;
  }

  /**
   * Resolves when the dense part of the model is loaded; workers come and go after that too.
   *
   * @param grpcPort where others reach the AdminService
   */
  async start(grpcPort: number): Promise<void> {
    const { config, store, gate, logger, signal } = this.#options;
    const { control, serving, bootId } = this.#parts;
    const coordinatorId = ownMemberId(config.coordinatorId, grpcPort);
    control.core.start({ coordinatorId, bootId, adminAddress: advertisedAddress(config, grpcPort) });
    const { localShards } = control;
    const provider = await chooseCompute(config, store, localShards, logger, signal);
    const engine = await this.#startEngine(provider, localShards);
    this.#engine = engine;
    control.core.routing.attach(engineSide(engine, store.spec.hiddenSize * BYTES_PER_VALUE[config.wireDtype]));
    gate.attach(engine);
    serving.engineLoaded();
  }

  status(): ClusterStatus {
    return { workers: this.#parts.control.core.membership.pool.status(), dispatch: this.#engine?.dispatchStats() };
  }

  /** Sequences that run end with an error; workers are left as they are. */
  async close(deadline: AbortSignal): Promise<void> {
    const { control, serving, monitor, controlPlane } = this.#parts;
    serving.close();
    await control.close();
    await this.#engine?.close(deadline);
    await monitor.close();
    await controlPlane.close();
  }

  #startEngine(provider: Provider, localShards: readonly LayerShard[]): Promise<ThreadedEngine> {
    const { config, store, gate, signal, onDeath } = this.#options;
    const { monitor, serving } = this.#parts;
    return ThreadedEngine.start(
      {
        thread: {
          storeDir: store.dir,
          provider,
          numThreads: config.numThreads,
          verify: { mode: config.verify, numThreads: config.numThreads, cacheDir: config.cacheDir },
          localShards,
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
          serving.engineLoading(loaded, total);
        },
        onConnection: (workerId, lostBecause) => {
          serving.connectionEvent(workerId, lostBecause);
        },
        onRoutes: (report) => {
          monitor.add(report);
        },
        onDeath,
      },
      signal,
    );
  }
}

const BYTES_PER_VALUE = { fp32: 4, fp16: 2, int8: 1 } as const;
