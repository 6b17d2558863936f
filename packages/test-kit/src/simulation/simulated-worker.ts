import { WORKER_KEY_PREFIX } from '@expertmesh/shared/cluster/cluster-keys';
import { Heartbeat } from '@expertmesh/shared/cluster/heartbeat';
import { encodeWorkerRecord } from '@expertmesh/shared/cluster/member-record';
import { NatsControlPlane } from '@expertmesh/shared/control-plane/nats-control-plane';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  WorkerCapacity,
  WorkerStats,
  type AssignRequest,
  type LayerShard,
  type LoadProgress,
  type LoadRequest,
  type UnloadRequest,
} from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Logger } from '@expertmesh/shared/process/logger';
import { frameDispatchAnswer } from '@expertmesh/shared/rpc/dispatch-codec';
import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { workerService } from '@expertmesh/shared/rpc/services';
import { decodeIncomingCall } from '@expertmesh/worker/calls/incoming-call';
import { findLayer } from '@expertmesh/worker/calls/call-validation';
import { errorAnswer, toCallError } from '@expertmesh/worker/calls/error-answer';
import { WorkerControl } from '@expertmesh/worker/control/worker-control';
import { LoadedLayer } from '@expertmesh/worker/shards/loaded-layer';
import { ShardHost } from '@expertmesh/worker/shards/shard-host';
import { type CallSource, type ClusterObserver } from './cluster-observer.js';
import { EXPERT_BYTES, HIDDEN_SIZE, NUM_EXPERTS, simulatedStore, TOP_K } from './simulated-model.js';
import { type SimulatedNats } from './simulated-nats.js';
import { SimulatedProcess } from './simulated-process.js';
import { type Simulator } from './simulator.js';

const CONTROL_PORT = 9101;
const DATA_PORT = 9100;
const [LEAST_LOAD_MS, MOST_LOAD_MS] = [1, 300];
const [LEAST_COMPUTE_MS, MOST_COMPUTE_MS] = [0.2, 4];

/** One run of the worker's program. */
interface Run {
  readonly control: WorkerControl;
  readonly host: ShardHost;
  readonly bootId: string;
  /** Of the commands that it has taken, as seen from outside. */
  highestEpoch: number;
}

/** A worker: its control and its shards are the real ones; what it loads and computes with is simulated. */
export class SimulatedWorker {
  readonly process: SimulatedProcess;
  readonly #sim: Simulator;
  readonly #nats: SimulatedNats;
  readonly #observer: ClusterObserver;
  readonly #logger: Logger;
  readonly #memoryBudgetBytes: number;
  /** When it last had no room for what it was to hold beside what it holds. */
  lackedMemoryMs = -Infinity;
  /** Probability that loading a layer fails. */
  loadFailures = 0;
  #run: Run | undefined;

  /** @param numReplicas that it has memory for */
  constructor(
    workerId: string,
    numReplicas: number,
    parts: { readonly sim: Simulator; readonly nats: SimulatedNats; observer: ClusterObserver; logger: Logger },
  ) {
    this.#sim = parts.sim;
    this.#nats = parts.nats;
    this.#observer = parts.observer;
    this.#logger = parts.logger;
    this.#memoryBudgetBytes = Math.ceil(numReplicas * EXPERT_BYTES * 1.05);
    this.process = new SimulatedProcess(parts.sim, workerId);
  }

  get workerId(): string {
    return this.process.id;
  }

  /** Another value whenever `served` is another; undefined for nothing. */
  get servedNow(): object | undefined {
    return this.process.isRunning ? this.#run?.host.served : undefined;
  }

  /** What it answers calls for; nothing while it does not run. */
  get served(): readonly LayerShard[] {
    if (!this.process.isRunning) return [];
    return [...(this.#run?.host.served?.layers.values() ?? [])].map(({ shard }) => shard);
  }

  start(): void {
    const { process } = this;
    process.start();
    const host = this.#openHost();
    const compute = {
      load: (...of: Parameters<ShardHost['load']>) => host.load(...of),
      unload: () => host.unload(),
      drain: () => Promise.resolve(0),
      withdraw: (layerIndex: number, expertId: number) => {
        host.withdraw(layerIndex, expertId);
        return Promise.resolve();
      },
    };
    const memory = { provider: 'native', memoryBudgetBytes: this.#memoryBudgetBytes } as const;
    const control = new WorkerControl({ store: simulatedStore, memory, compute, onServing: () => undefined });
    this.#run = { control, host, bootId: process.bootId, highestEpoch: 0 };
    this.#register();
  }

  crash(): void {
    this.process.crash();
    this.#run = undefined;
  }

  /**
   * Handles a call of WorkerService, as worker-service.ts does.
   *
   * @param caller the run of the coordinator that calls
   */
  async serve(
    path: string,
    request: unknown,
    caller: string,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<unknown> {
    const run = this.#requireRun();
    switch (path) {
      case workerService.getStats.path:
        return this.#stats(run);
      case workerService.assign.path: {
        const assignment = request as AssignRequest;
        return this.#commanded(caller, 'assign', assignment.epoch, () => run.control.assign(assignment));
      }
      case workerService.load.path: {
        const load = request as LoadRequest;
        return this.#commanded(caller, 'load', load.epoch, () => run.control.load(load, onProgress, signal));
      }
      case workerService.unload.path: {
        const unload = request as UnloadRequest;
        return this.#commanded(caller, 'unload', unload.epoch, () => run.control.unload(unload));
      }
      default:
        throw new ExpertmeshError('unimplemented', `${path} is not simulated`);
    }
  }

  /** Handles a message of a Dispatch stream. @param answer takes a framed answer */
  dispatch(message: Uint8Array, source: CallSource, answer: (frame: Buffer) => void): void {
    const run = this.#run;
    const incoming = decodeIncomingCall(message);
    if (run === undefined || incoming.kind === 'refused') return;
    const { call } = incoming;
    this.#observer.callArrived(this, source, call);
    let layer: LoadedLayer;
    try {
      layer = findLayer(call, TOP_K, run.host.served);
    } catch (thrown) {
      this.#observer.callRefused(this, source.caller, call);
      answer(frameDispatchAnswer(errorAnswer(call, toCallError(thrown))));
      return;
    }
    layer.acquire();
    this.process.after(this.#sim.between(LEAST_COMPUTE_MS, MOST_COMPUTE_MS), () => {
      layer.release();
      answer(frameDispatchAnswer(computed(call)));
    });
  }

  async #commanded<T>(caller: string, name: string, epoch: number, obey: () => T | Promise<T>): Promise<T> {
    const run = this.#requireRun();
    const { highestEpoch } = run;
    const result = await this.#noting(obey);
    this.#observer.commandTaken({ worker: this, caller, name, epoch, highestEpoch });
    run.highestEpoch = Math.max(run.highestEpoch, epoch);
    return result;
  }

  async #noting<T>(obey: () => T | Promise<T>): Promise<T> {
    try {
      return await obey();
    } catch (thrown) {
      if (ExpertmeshError.from(thrown).code === 'resource_exhausted') this.lackedMemoryMs = this.#sim.nowMs;
      throw thrown;
    }
  }

  #openHost(): ShardHost {
    return new ShardHost({
      storeId: simulatedStore.storeId,
      hiddenSize: HIDDEN_SIZE,
      packedBytesOf: ({ expertIds }) => EXPERT_BYTES * expertIds.length,
      verify: () => ({ passed: () => Promise.resolve(), end: () => Promise.resolve() }),
      loadLayer: (shard) => this.#loadLayer(shard),
    });
  }

  #loadLayer(shard: LayerShard): Promise<LoadedLayer> {
    const runner = { run: () => Promise.resolve([]), close: () => Promise.resolve() };
    return new Promise((resolve, reject) => {
      this.process.after(this.#sim.between(LEAST_LOAD_MS, MOST_LOAD_MS), () => {
        if (this.#sim.chance(this.loadFailures)) reject(new ExpertmeshError('unavailable', 'the disk does not answer'));
        else resolve(new LoadedLayer(shard, NUM_EXPERTS, runner));
      });
    });
  }

  #stats({ control, bootId }: Run): WorkerStats {
    return WorkerStats.create({
      bootId,
      storeId: simulatedStore.storeId,
      dataPort: DATA_PORT,
      memoryBudgetBytes: this.#memoryBudgetBytes,
      capacity: WorkerCapacity.create({ expertMemoryBytes: EXPERT_BYTES * 1.05, failureDomain: this.workerId }),
      ...control.state(),
    });
  }

  #register(): void {
    const { process, workerId } = this;
    const { bootId } = process;
    const clock = process.clock();
    const logger = this.#logger;
    const controlPlane = new NatsControlPlane({
      servers: [],
      cluster: 'simulated',
      clientName: workerId,
      logger,
      open: () => this.#nats.open(process),
      clock,
      random: this.#sim.random,
    });
    const record = {
      formatVersion: 1,
      workerId,
      bootId,
      storeId: simulatedStore.storeId,
      failureDomain: workerId,
    } as const;
    const controlAddress = `${workerId}:${String(CONTROL_PORT)}`;
    new Heartbeat({
      controlPlane,
      bucket: controlPlane.workers,
      key: WORKER_KEY_PREFIX + workerId,
      record: (heartbeat) => encodeWorkerRecord({ ...record, controlAddress, heartbeat }),
      logger,
      clock,
    });
  }

  #requireRun(): Run {
    if (this.#run === undefined) throw new ExpertmeshError('unavailable', 'the worker does not run');
    return this.#run;
  }
}

/** Expert e answers every row with the e-th unit vector. */
function computed(call: DispatchCall): DispatchAnswer {
  const rows = new Float32Array(call.numRows * HIDDEN_SIZE);
  for (let row = 0; row < call.numRows; row++)
    for (let pair = call.rowOffsets[row] ?? 0; pair < (call.rowOffsets[row + 1] ?? 0); pair++) {
      const index = row * HIDDEN_SIZE + (call.expertIds[pair] ?? 0);
      rows[index] = (rows[index] ?? 0) + (call.routingWeights[pair] ?? 0);
    }
  const { callId, layerIndex, placementVersion, numRows } = call;
  return {
    callId,
    layerIndex,
    placementVersion,
    numRows,
    hiddenSize: HIDDEN_SIZE,
    rowDtype: 'fp32',
    numPairs: call.expertIds.length,
    error: undefined,
    queueUs: 0,
    computeUs: 0,
    numCallsTogether: 1,
    rows,
  };
}
