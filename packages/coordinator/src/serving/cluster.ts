import { advertisedAddress, ownMemberId } from '@expertmesh/shared/cluster/own-address';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { chooseKvDtype } from '@expertmesh/shared/config/kv-dtype';
import { type CoordinatorConfig, grpcHostOf, replacementWaitMsOf } from '@expertmesh/shared/config/coordinator-config';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type OpenClient } from '@expertmesh/shared/rpc/openers';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { type ExpertLoadMonitor } from '../balance/expert-load-monitor.js';
import { type RouteReport } from '../balance/route-counter.js';
import { type ClusterAdmin } from '../control/cluster-admin.js';
import { reasonOf } from '../control/cluster-view.js';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { ThreadedEngine, type ThreadedEngineOptions } from './engine-thread/threaded-engine.js';
import { type WorkerStatus } from '../membership/worker-event.js';
import { type HeardWorker } from '../metrics/worker-metrics.js';
import { chooseCompute } from './choose-compute.js';
import { openClusterParts, type ClusterParts } from './cluster-parts.js';
import { engineSide } from './engine-side.js';
import { type EngineThreadOptions } from './engine-thread/engine-contract.js';
import { type ReadinessGate } from './readiness-gate.js';
import { scrubDense } from './scrub-dense.js';

export interface ClusterOptions {
  readonly config: CoordinatorConfig;
  readonly store: ExpertStore;
  readonly gate: ReadinessGate;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Undefined for plain text. */
  readonly security: TransportSecurity | undefined;
  readonly openClient: OpenClient;
  /** The engine thread has died: nothing can be generated any more. */
  readonly onDeath: (error: ExpertmeshError) => void;
}

/** Workers and dispatch at one moment, for operators. */
export interface ClusterStatus {
  readonly workers: readonly WorkerStatus[];
  readonly dispatch: DispatchStats | undefined;
}

export interface ImpairedWorker {
  readonly workerId: string;
  readonly reason: string;
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
    return new Cluster(options, await openClusterParts(options));
  }

  get admin(): ClusterAdmin {
    return this.#parts.admin;
  }

  get monitor(): ExpertLoadMonitor {
    return this.#parts.monitor;
  }

  get numMoves(): number {
    return this.#parts.leading.changes.numMoves;
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
    const { core, localShards, leading, serving, bootId } = this.#parts;
    const coordinatorId = ownMemberId(config.coordinatorId, grpcPort);
    const adminAddress = advertisedAddress({ ...config, host: grpcHostOf(config) }, grpcPort);
    core.start({ coordinatorId, bootId, adminAddress }, leading.duties);
    const provider = await chooseCompute(config, store, localShards, logger, signal);
    const engine = await this.#startEngine(provider, localShards);
    this.#engine = engine;
    if (provider === 'native' && config.scrubBytesPerSecond > 0) this.#startScrubbing(engine, localShards);
    core.routing.attach(engineSide(engine, store.spec.hiddenSize * BYTES_PER_VALUE[config.wireDtype]));
    gate.attach(engine);
    serving.engineLoaded(() => engine.canary());
  }

  status(): ClusterStatus {
    return { workers: this.#parts.core.membership.pool.status(), dispatch: this.#engine?.dispatchStats() };
  }

  heardWorkers(): HeardWorker[] {
    return this.#parts.core.membership.known
      .list()
      .flatMap(({ workerId, state, stats }) => (state === 'up' && stats !== undefined ? [{ workerId, stats }] : []));
  }

  /**
   * Workers that are away, in quarantine, held by an epoch that no election gave, or without experts whose weights were
   * damaged, whether or not others suffice.
   */
  impairedWorkers(): ImpairedWorker[] {
    const { known } = this.#parts.core.membership;
    const { store } = this.#parts.core;
    const dispatch = this.#engine?.dispatchStats() ?? { workers: [], quarantined: [] };
    return known
      .list()
      .map((worker) => ({ workerId: worker.workerId, reason: reasonOf(worker, { store, dispatch }) }))
      .filter(({ reason }) => reason !== '');
  }

  /** Sequences that run end with an error; workers are left as they are. */
  async close(deadline: AbortSignal): Promise<void> {
    const { core, leading, serving, monitor, controlPlane } = this.#parts;
    serving.close();
    leading.close();
    await core.close();
    await this.#engine?.close(deadline);
    await monitor.close();
    await controlPlane.close();
  }

  /** With damaged weights nothing can be answered, so the process ends, and whoever runs it starts it again. */
  #startScrubbing(engine: ThreadedEngine, localShards: readonly LayerShard[]): void {
    const { config, store, signal, onDeath } = this.#options;
    const onDamaged = async (error: ExpertmeshError): Promise<void> => {
      await engine.close(AbortSignal.abort());
      onDeath(new ExpertmeshError('data_loss', `${error.message}: "expertmesh store repair" mends the file`));
    };
    void scrubDense({ store, bytesPerSecond: config.scrubBytesPerSecond, localShards, onDamaged }, signal);
  }

  #startEngine(provider: Provider, localShards: readonly LayerShard[]): Promise<ThreadedEngine> {
    const { store, logger, signal, onDeath } = this.#options;
    const { monitor, serving } = this.#parts;
    const options = {
      thread: engineThreadOptions(this.#options, provider, localShards),
      vocabSize: store.spec.vocabSize,
      onLoading: (loaded: number, total: number) => {
        serving.engineLoading(loaded, total);
      },
      onConnection: (workerId: string, lostBecause: string | undefined) => {
        serving.connectionEvent(workerId, lostBecause);
      },
      ...loggedAnswers(logger),
      onRoutes: (report: RouteReport) => {
        monitor.add(report);
      },
      onDiskFailed: (reason: string) => {
        logger.warn(
          { reason },
          'blocks of the KV cache cannot be kept on disk (--kv-cache-disk): they are computed again',
        );
      },
      onDeath,
    };
    return ThreadedEngine.start(options, signal);
  }
}

function loggedAnswers(logger: Logger): Pick<ThreadedEngineOptions, 'onQuarantine' | 'onWrongAnswer'> {
  return {
    onQuarantine: (workerId, because) => {
      if (because === undefined) logger.info({ workerId }, 'worker is out of quarantine: it has passed its exam');
      else logger.warn({ workerId, because }, 'worker is in quarantine: it is asked only for what no other holds');
    },
    onWrongAnswer: ({ workerId, kind, what, numUnreported }) => {
      logger.warn({ workerId, kind, reason: what, numUnreported }, 'an answer was wrong and is asked for again');
    },
  };
}

function engineThreadOptions(
  { config, store, gate, security }: ClusterOptions,
  provider: Provider,
  localShards: readonly LayerShard[],
): EngineThreadOptions {
  return {
    storeDir: store.dir,
    provider,
    numThreads: config.numThreads,
    isa: config.isa,
    verify: { mode: config.verify, numThreads: config.numThreads, cacheDir: config.cacheDir },
    localShards,
    maxBatchTokens: config.maxBatchTokens,
    maxStepStretch: config.maxStepStretch,
    maxNumSeqs: config.maxNumSeqs,
    maxWaitingSeqs: config.maxWaitingSeqs,
    maxModelLen: gate.limits.maxModelLen,
    kvDtype: chooseKvDtype(config.kvDtype, store.quantisation.bits),
    kvCacheBudgetBytes: config.kvCacheBytes,
    prefixCache: config.prefixCache,
    kvCacheDisk: config.kvCacheDisk,
    speculation: config.speculative,
    microBatches: config.microBatches,
    wireDtype: config.wireDtype,
    numerics: config.numerics,
    dispatchTimeoutMs: config.dispatchTimeoutMs,
    replacementWaitMs: replacementWaitMsOf(config),
    hedging: config.hedging === 'on',
    canaryIntervalMs: config.canaryIntervalMs === 0 ? undefined : config.canaryIntervalMs,
    tls: security?.files,
  };
}

const BYTES_PER_VALUE = { fp32: 4, fp16: 2, int8: 1 } as const;
