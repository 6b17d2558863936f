import { ClusterControl } from '@expertmesh/coordinator/control/cluster-control';
import { ClusterCore } from '@expertmesh/coordinator/control/cluster-core';
import { type EngineSide } from '@expertmesh/coordinator/control/engine-side';
import { Leading } from '@expertmesh/coordinator/control/leading/leading';
import { WorkerAdmission } from '@expertmesh/coordinator/control/leading/worker-admission';
import { KnownCluster } from '@expertmesh/coordinator/control/planning/known-cluster';
import { type PlanTask } from '@expertmesh/coordinator/control/planning/plan-in-thread';
import { type LoadMonitor } from '@expertmesh/coordinator/balance/load-monitor';
import { GrpcExpertDispatcher } from '@expertmesh/coordinator/dispatch/grpc-expert-dispatcher';
import { type WrongAnswerReport } from '@expertmesh/coordinator/dispatch/wrong-answers';
import { workerKey } from '@expertmesh/shared/cluster/cluster-keys';
import { replacementWaitMsOf, type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { NatsControlPlane } from '@expertmesh/shared/control-plane/nats-control-plane';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { BalanceView, ExpertStats } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { planPlacement, type PlacementPlan } from '@expertmesh/shared/placement/plan-placement';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Openers } from '@expertmesh/shared/rpc/openers';
import { EXPERT_BYTES, evenLoads, HIDDEN_SIZE, LAYER_INDICES, NUM_EXPERTS, simulatedStore } from './simulated-model.js';
import { SimulatedDisk } from './simulated-disk.js';
import { type SimulatedNats } from './simulated-nats.js';
import { SimulatedProcess } from './simulated-process.js';
import { type Simulator } from './simulator.js';

const [LEAST_ENGINE_LOAD_MS, MOST_ENGINE_LOAD_MS] = [10, 200];
const [LEAST_PLAN_MS, MOST_PLAN_MS] = [5, 100];
const PLAN_ITERATIONS = 20;
const EXPERT_SIZE = { packedBytes: EXPERT_BYTES, memoryBytes: EXPERT_BYTES };
/** So short that rounds follow the sweep of new replicas within a seed. */
const CANARY_INTERVAL_MS = 15_000;
export const CALL_TIMEOUT_MS = 2_000;

export interface SimulatedCoordinatorOptions {
  readonly sim: Simulator;
  readonly nats: SimulatedNats;
  readonly config: CoordinatorConfig;
  readonly logger: Logger;
  readonly onWrongAnswer: (report: WrongAnswerReport) => void;
  readonly openers: (process: SimulatedProcess, coordinator: SimulatedCoordinator) => Openers;
}

/** One run of the coordinator's program, as far as the cluster is concerned. */
interface Run {
  readonly core: ClusterCore;
  readonly leading: Leading;
  readonly control: ClusterControl;
  readonly dispatcher: GrpcExpertDispatcher;
}

/**
 * A coordinator: control, membership and dispatch are the real ones, put together as serving/cluster-parts.ts does; the
 * engine is whoever asks for layer calls.
 */
export class SimulatedCoordinator {
  readonly process: SimulatedProcess;
  readonly disk: SimulatedDisk;
  readonly #options: SimulatedCoordinatorOptions;
  #run: Run | undefined;
  /** By which calls may be routed: the newest, and those before it that calls under way still follow. */
  #followed: readonly Placement[] = [];

  constructor(coordinatorId: string, options: SimulatedCoordinatorOptions) {
    this.#options = options;
    this.process = new SimulatedProcess(options.sim, coordinatorId);
    this.disk = new SimulatedDisk(options.sim);
  }

  get core(): ClusterCore | undefined {
    return this.#run?.core;
  }

  get leading(): Leading | undefined {
    return this.#run?.leading;
  }

  get control(): ClusterControl | undefined {
    return this.#run?.control;
  }

  /** undefined until the engine has loaded. */
  get dispatcher(): GrpcExpertDispatcher | undefined {
    return this.#run?.core.routing.engine === undefined ? undefined : this.#run.dispatcher;
  }

  get followed(): readonly Placement[] {
    return this.#followed;
  }

  start(): void {
    const { sim } = this.#options;
    this.process.start();
    const run = this.#open();
    this.#run = run;
    this.#followed = [];
    const { id: coordinatorId, bootId } = this.process;
    run.core.start({ coordinatorId, bootId, adminAddress: `${coordinatorId}:9000` }, run.leading.duties);
    this.process.after(sim.between(LEAST_ENGINE_LOAD_MS, MOST_ENGINE_LOAD_MS), () => {
      run.core.routing.attach(this.#engineSide(run.dispatcher));
    });
  }

  crash(): void {
    this.process.crash();
    this.#run = undefined;
    this.#followed = [];
  }

  #open(): Run {
    const { sim, nats, config, logger, openers, onWrongAnswer } = this.#options;
    const { process } = this;
    const clock = process.clock();
    const { random } = sim;
    const { openClient, openStream } = openers(process, this);
    const open = () => nats.open(process);
    const clientName = process.id;
    const controlPlane = new NatsControlPlane({
      servers: [],
      cluster: 'simulated',
      clientName,
      logger,
      open,
      clock,
      random,
    });
    const core = new ClusterCore({
      storeId: simulatedStore.storeId,
      staticAddresses: [],
      heartbeatIntervalMs: config.heartbeatIntervalMs,
      heartbeatTimeoutMs: config.heartbeatTimeoutMs,
      controlPlane,
      stateDirectory: this.disk,
      isUsable: () => true,
      serving: NOBODY,
      expertSize: EXPERT_SIZE,
      openClient,
      logger,
      clock,
      random,
    });
    const admission = new WorkerAdmission(core.store, core.membership, clock);
    const dispatcher = new GrpcExpertDispatcher({
      storeId: simulatedStore.storeId,
      hiddenSize: HIDDEN_SIZE,
      wireDtype: 'fp32',
      callTimeoutMs: CALL_TIMEOUT_MS,
      replacementWaitMs: replacementWaitMsOf(config),
      hedging: true,
      canaryIntervalMs: CANARY_INTERVAL_MS,
      onWrongAnswer,
      openStream,
      clock,
      random,
    });
    return { core, dispatcher, ...this.#lead(core, admission, controlPlane) };
  }

  #lead(core: ClusterCore, admission: WorkerAdmission, controlPlane: NatsControlPlane) {
    const { sim, config, logger } = this.#options;
    const clock = this.process.clock();
    const first = { fixed: undefined, planFrom: undefined, minWorkers: config.minWorkers };
    const known = new KnownCluster({
      core,
      admission,
      first,
      expertSize: EXPERT_SIZE,
      numLayers: LAYER_INDICES.length,
    });
    const wallMs = (): number => sim.nowMs;
    const leading = new Leading({
      config,
      storeId: simulatedStore.storeId,
      model: { layerIndices: LAYER_INDICES, numExperts: NUM_EXPERTS },
      core,
      known,
      admission,
      first,
      expertSize: EXPERT_SIZE,
      monitor: EVEN_MONITOR,
      onWaiting: () => undefined,
      plan: (task) => this.#plan(task),
      logger,
      clock,
      wallMs,
    });
    const { planner, changes, drains, onAudit } = leading;
    const control = new ClusterControl({
      core,
      cluster: 'simulated',
      controlPlane,
      monitor: EVEN_MONITOR,
      planner,
      changes,
      drains,
      admission,
      layerIndices: LAYER_INDICES,
      expertMemoryBytes: EXPERT_BYTES,
      minGain: config.rebalanceMinGain,
      onAudit,
      forgetRecord: (workerId) => controlPlane.workers.delete(workerKey(workerId)),
      wallMs,
    });
    return { leading, control };
  }

  #plan({ policy, cluster, loads, options }: PlanTask): Promise<PlacementPlan> {
    const { sim } = this.#options;
    return new Promise((resolve, reject) => {
      this.process.after(sim.between(LEAST_PLAN_MS, MOST_PLAN_MS), () => {
        try {
          const limits = { maxIterations: PLAN_ITERATIONS, nowMs: () => 0 };
          resolve(planPlacement(policy, cluster, loads, { ...options, ...limits }));
        } catch (thrown) {
          reject(ExpertmeshError.from(thrown));
        }
      });
    });
  }

  #engineSide(dispatcher: GrpcExpertDispatcher): EngineSide {
    return {
      setPlacement: async (placement) => {
        this.#followed = [...this.#followed, placement];
        await dispatcher.setPlacement(placement);
        this.#followed = this.#followed.slice(this.#followed.indexOf(placement));
      },
      setIrreplaceable: (workerIds) => {
        dispatcher.setIrreplaceable(workerIds);
      },
      setWorkerCosts: (costs) => {
        dispatcher.setWorkerCosts(costs);
      },
      setWorkerUp: (workerId, dataAddress) => {
        dispatcher.setWorkerUp(workerId, dataAddress);
      },
      setWorkerDown: (workerId, reason) => {
        dispatcher.setWorkerDown(workerId, reason);
      },
      forgetWorker: (workerId) => {
        dispatcher.forgetWorker(workerId);
      },
      probeReplica: (workerId, layerIndex, expertId) => dispatcher.probeReplica(workerId, layerIndex, expertId),
      dispatchStats: () => dispatcher.stats(),
      load: () => NO_LOAD,
      secondsPerRow: () => 0,
    };
  }
}

const NOBODY = {
  placementApplied: () => undefined,
  noPlacement: () => undefined,
  workerChanged: () => undefined,
  workerForgotten: () => undefined,
  workerLacks: () => undefined,
};

const NO_LOAD = {
  generationTokensPerSecond: 0,
  promptTokensPerSecond: 0,
  numRunning: 0,
  numWaiting: 0,
  kvCacheUsage: 0,
};

const EVEN_MONITOR: LoadMonitor = {
  loads: () => evenLoads,
  stats: () => ExpertStats.create(),
  balance: () => BalanceView.create(),
  workerShares: () => new Map(),
  alarms: () => [],
  hottestExperts: () => [],
  tokensInWindow: 0,
  onWindow: () => () => undefined,
};
