import { randomInt } from 'node:crypto';
import { accelerateChecksums } from '@expertmesh/compute/accelerate-checksums';
import { closeComputeBackend, createComputeBackend, type ComputeBackend } from '@expertmesh/compute/compute-backend';
import { routingShape } from '@expertmesh/shared/balance/routing-shape';
import { type Numerics } from '@expertmesh/shared/config/numerics';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { storeIdOfCalls } from '@expertmesh/shared/rpc/dispatch-message';
import { TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { type Emit, type ThreadService } from '@expertmesh/shared/threads/serve-thread';
import { RouteCounter } from '../../balance/route-counter.js';
import { TraceRecorder, type RecordedSteps } from '../../balance/trace-recorder.js';
import { GrpcExpertDispatcher } from '../../dispatch/grpc-expert-dispatcher.js';
import { storedReference } from '../../dispatch/stored-reference.js';
import { runCanary } from '../../engine/canary.js';
import { Engine } from '../../engine/engine.js';
import { PrefixRestorer } from '../../engine/prefix-restorer.js';
import { ForwardPass } from '../../engine/forward.js';
import { LayerTimes } from '../../engine/layer-times.js';
import { BlockPool } from '../../kv/block-pool.js';
import { tokenLogprobs } from '../../sampling/logprobs.js';
import { Drafter } from '../../speculation/drafter.js';
import { DiskArchive } from '../../kv/disk/disk-archive.js';
import { KvMemory } from '../../kv/kv-memory.js';
import { connectionOpeners } from '../connection-openers.js';
import { AnswerSamplers } from './answer-samplers.js';
import { requireExactTerms } from './require-exact-terms.js';
import { type EngineContract, type EngineThreadOptions } from './engine-contract.js';
import { loadModel, type LoadedModel } from './load-model.js';

type Tell = Emit<EngineContract>;

const STATS_INTERVAL_MS = 100;
const MAX_SEED = 2 ** 48 - 1;

interface LoadedParts extends LoadedModel {
  readonly store: ExpertStore;
  readonly storeId: string;
  readonly spec: ModelSpec;
  readonly backend: ComputeBackend;
  readonly pool: BlockPool;
  readonly archive: DiskArchive | undefined;
  readonly samplers: AnswerSamplers;
}

/** The engine's side of its thread: what it computes with, and what watches that, from loading to closing. */
export class EngineHost implements ThreadService<EngineContract> {
  readonly ready = undefined;
  readonly requests: ThreadService<EngineContract>['requests'];
  readonly messages: ThreadService<EngineContract>['messages'];
  readonly #tell: Tell;
  readonly #model: LoadedParts;
  readonly #numerics: Numerics;
  readonly #times = new LayerTimes();
  readonly #routes: RouteCounter;
  readonly #recorder: TraceRecorder;
  readonly #dispatcher: GrpcExpertDispatcher;
  readonly #engine: Engine;
  readonly #statsTimer: NodeJS.Timeout;

  private constructor(options: EngineThreadOptions, model: LoadedParts, tell: Tell) {
    const shape = routingShape(model.spec);
    this.#tell = tell;
    this.#model = model;
    this.#numerics = options.numerics;
    this.#recorder = new TraceRecorder(shape);
    this.#routes = new RouteCounter({
      shape,
      report: (counted) => {
        tell('routes', counted, [counted.counts]);
      },
    });
    this.#dispatcher = openDispatcher(options, model, tell);
    this.#engine = createEngine(options, model, this.#countedForward(options), tell);
    this.requests = this.#servedRequests();
    this.messages = this.#servedMessages();
    this.#reportStats();
    this.#statsTimer = setInterval(() => {
      this.#reportStats();
    }, STATS_INTERVAL_MS);
  }

  /** Verifies and loads what this process computes. */
  static async open(options: EngineThreadOptions, tell: Tell): Promise<EngineHost> {
    accelerateChecksums();
    const store = await openExpertStore(options.storeDir);
    requireExactTerms(options.numerics, store.spec);
    const { provider, numThreads, isa, numerics } = options;
    const backend = createComputeBackend(provider, store.quantisation, numThreads, { isa, numerics });
    const kv = new KvMemory({
      spec: store.spec,
      dtype: options.kvDtype,
      budgetBytes: options.kvCacheBudgetBytes,
      kernels: backend.kind === 'native' ? backend.kernels : undefined,
    });
    const model = await loadModel(store, backend, kv, options.localShards, options.verify, (loaded, total) => {
      tell('loading', { loaded, total });
    });
    const archive = await openArchive(options, store, { ...model, backend }, tell);
    // The canary has a block of its own, as it has to pass when sequences have all others.
    const pool = new BlockPool(kv.numBlocks - 1, (dropped) => archive?.keep(dropped));
    const samplers = await AnswerSamplers.open(store.dir, store.spec.vocabSize);
    return new EngineHost(
      options,
      { ...model, store, storeId: store.storeId, spec: store.spec, backend, pool, archive, samplers },
      tell,
    );
  }

  /** Ends the step under way and what is left of sequences, and tells the last figures. */
  readonly close = async (): Promise<void> => {
    clearInterval(this.#statsTimer);
    const { local, dense, backend, pool, archive, samplers } = this.#model;
    await this.#engine.close();
    samplers.close();
    await this.#dispatcher.close();
    await archive?.close(pool.unreferenced());
    await local?.close();
    await dense.close();
    await closeComputeBackend(backend);
    this.#reportStats();
    this.#routes.report();
  };

  #servedRequests(): ThreadService<EngineContract>['requests'] {
    return {
      setPlacement: (placement) => this.#dispatcher.setPlacement(placement),
      canary: () => this.#canary(),
      probe: ({ workerId, layerIndex, expertId }) => this.#dispatcher.probeReplica(workerId, layerIndex, expertId),
      record: ({ recordingId, maxRows }, { signal, progress }) => {
        const steps = (recorded: RecordedSteps): void => {
          progress(recorded, [recorded.content.buffer]);
        };
        return this.#record(recordingId, maxRows, steps, signal);
      },
    };
  }

  #servedMessages(): ThreadService<EngineContract>['messages'] {
    const [engine, dispatcher, { samplers }] = [this.#engine, this.#dispatcher, this.#model];
    return {
      submit: ({ id, request }) => {
        samplers.whenPrepared(id, request, () => {
          engine.submit(id, request);
        });
      },
      cancel: ({ id }) => {
        if (!samplers.forget(id)) engine.cancel(id);
      },
      workerCosts: (costs) => {
        dispatcher.setWorkerCosts(costs);
      },
      irreplaceable: (workerIds) => {
        dispatcher.setIrreplaceable(workerIds);
      },
      workerUp: ({ workerId, dataAddress }) => {
        dispatcher.setWorkerUp(workerId, dataAddress);
      },
      workerDown: ({ workerId, reason }) => {
        dispatcher.setWorkerDown(workerId, reason);
      },
      workerForgotten: ({ workerId }) => {
        dispatcher.forgetWorker(workerId);
      },
      countsBack: (counts) => {
        this.#routes.takeBack(counts);
      },
      recordedRead: ({ recordingId, numBytes }) => {
        this.#recorder.acknowledge(recordingId, numBytes);
      },
    };
  }

  // Nobody asked for a canary's token, so it is neither timed nor counted.
  #canary(): Promise<void> {
    const { spec, dense, pool } = this.#model;
    const dispatcher = this.#dispatcher;
    const forward = new ForwardPass({ spec, dense, experts: dispatcher, numerics: this.#numerics });
    const cache = { length: 0, blockIds: Int32Array.of(pool.numBlocks) };
    return this.#engine.betweenSteps(() => runCanary(spec, cache, forward, dispatcher));
  }

  #record(id: number, maxRows: number, steps: (recorded: RecordedSteps) => void, signal: AbortSignal): Promise<void> {
    const recorder = this.#recorder;
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        if (error === undefined) resolve();
        else reject(error);
      };
      recorder.start(id, maxRows, { steps, end });
      signal.addEventListener('abort', () => {
        recorder.stop(id);
      });
    });
  }

  #countedForward({ microBatches, numerics }: EngineThreadOptions): ForwardPass {
    const [routes, recorder, dispatcher] = [this.#routes, this.#recorder, this.#dispatcher];
    const { spec, dense } = this.#model;
    return new ForwardPass({
      spec,
      dense,
      experts: {
        allExperts: () => dispatcher.allExperts(),
        dispatch: (call) =>
          dispatcher.dispatch(call, (workerIds, parts) => {
            routes.observeParts(call.layerIndex, workerIds, parts);
          }),
      },
      microBatches,
      numerics,
      times: this.#times,
      observe: (layerIndex, routed, chunks) => {
        routes.observe(layerIndex, routed);
        recorder.observe(layerIndex, routed, chunks);
      },
    });
  }

  #reportStats(): void {
    const engine = { ...this.#engine.stats(), layerTimes: this.#times.read() };
    this.#tell('stats', { engine, dispatch: this.#dispatcher.stats() });
    this.#routes.reportIfDue();
    this.#recorder.flushIfDue();
  }
}

function openDispatcher(
  options: EngineThreadOptions,
  { spec, store, storeId, backend, local }: LoadedParts,
  tell: Tell,
): GrpcExpertDispatcher {
  return new GrpcExpertDispatcher({
    storeId: storeIdOfCalls(storeId),
    hiddenSize: spec.hiddenSize,
    wireDtype: options.wireDtype,
    numerics: options.numerics,
    callTimeoutMs: options.dispatchTimeoutMs,
    replacementWaitMs: options.replacementWaitMs,
    hedging: options.hedging,
    canaryIntervalMs: options.canaryIntervalMs,
    storedReference: storedReference(store, backend, options.verify),
    local,
    // The main thread tells what becomes of the files.
    openStream: connectionOpeners(options.tls && new TransportSecurity(options.tls, undefined)).openStream,
    onConnection: (workerId, lostBecause) => {
      tell('connection', { workerId, lostBecause });
    },
    onQuarantine: (workerId, because) => {
      tell('quarantine', { workerId, because });
    },
    onWrongAnswer: (report) => {
      tell('wrongAnswer', report);
    },
  });
}

function openArchive(
  { kvCacheDisk, provider, wireDtype, numerics }: EngineThreadOptions,
  { storeId }: ExpertStore,
  { dense: { kv }, backend }: LoadedModel & Pick<LoadedParts, 'backend'>,
  tell: Tell,
): Promise<DiskArchive> | undefined {
  if (kvCacheDisk === undefined) return undefined;
  // Instruction sets differ in the order in which they add, so in the last bits of what a block holds.
  const isa = backend.kind === 'native' ? backend.pool.isa : '';
  return DiskArchive.open({
    ...kvCacheDisk,
    identity: [storeId, kv.layout.dtype, kv.blockBytes, wireDtype, numerics, provider, process.arch, isa],
    readBlock: (blockId) => kv.readBlock(blockId),
    onFailure: ({ message }) => {
      tell('diskFailed', message);
    },
  });
}

function createEngine(
  options: EngineThreadOptions,
  { spec, dense: { kv }, pool, archive, samplers }: LoadedParts,
  forward: ForwardPass,
  tell: Tell,
): Engine {
  return new Engine({
    ...options,
    prefixCache: options.prefixCache === 'on',
    vocabSize: spec.vocabSize,
    pool,
    memory: kv,
    restorer: archive && new PrefixRestorer({ pool, memory: kv, archive }),
    drafts: options.speculation === 'prompt-lookup' ? new Drafter() : undefined,
    createSampler: (request, seed) => samplers.create(request, seed),
    scorePrompt: tokenLogprobs,
    forward,
    emit: (events) => {
      tell('sequences', events);
    },
    randomSeed: () => randomInt(MAX_SEED),
  });
}
