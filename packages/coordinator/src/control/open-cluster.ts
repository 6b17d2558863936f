import { workerKey } from '@expertmesh/shared/cluster/cluster-keys';
import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { moeLayerIndices } from '@expertmesh/shared/model/model-spec';
import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type PlanCluster } from '@expertmesh/shared/placement/plan-cluster';
import { type Logger } from '@expertmesh/shared/process/logger';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { type LoadMonitor } from '../balance/load-monitor.js';
import { AutoRebalancer } from './leading/auto-rebalancer.js';
import { auditor } from './leading/auditor.js';
import { Changes } from './change/changes.js';
import { Drains } from './change/drains.js';
import { type ClusterAdmin } from './cluster-admin.js';
import { ClusterControl } from './cluster-control.js';
import { ClusterCore } from './cluster-core.js';
import { LeaderDuties } from './leading/leader-duties.js';
import { moverWorld } from './change/mover-world.js';
import { shardsOf } from './placement/shards.js';
import { withoutIdle } from './placement/routing.js';
import { type StateDirectory } from './placement/state-directory.js';
import { planCluster } from './planning/plan-inputs.js';
import { planInThread } from './planning/plan-in-thread.js';
import { Planner } from './planning/planner.js';
import { expertSizeOf } from './planning/store-size.js';
import { type ServingEvents } from './serving-events.js';
import { fixedPlacement, isUsableWith } from './leading/static-members.js';
import { WorkerAdmission } from './leading/worker-admission.js';

export interface OpenClusterOptions {
  readonly config: CoordinatorConfig;
  readonly store: ExpertStore;
  readonly controlPlane: ControlPlane;
  readonly stateDirectory: StateDirectory;
  readonly monitor: LoadMonitor;
  readonly serving: ServingEvents;
  readonly logger: Logger;
}

export interface OpenedCluster {
  readonly core: ClusterCore;
  readonly admin: ClusterAdmin;
  /** What the coordinator computes itself, for as long as it runs. */
  readonly localShards: readonly LayerShard[];
  /** What is in force, with the workers that share the load or could: those that were drained do not count. */
  readonly loadedPlacement: () => Placement | undefined;
  /** The workers with their speeds, for predictions. */
  readonly planCluster: () => PlanCluster;
  /** Replicas that this coordinator, leading, has had moved. */
  readonly numMoves: () => number;
  close(): Promise<void>;
}

/** Puts the parts of a cluster together. Nothing happens before `core.start`. */
export function openCluster(options: OpenClusterOptions): OpenedCluster {
  const { config, store, controlPlane, monitor, logger } = options;
  const clock = systemClock;
  const expertSize = expertSizeOf(store);
  const layerIndices = moeLayerIndices(store.spec);
  const model = { layerIndices, numExperts: store.spec.numExperts };
  const core = new ClusterCore({
    ...options,
    storeId: store.storeId,
    staticAddresses: config.workers,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    heartbeatTimeoutMs: config.heartbeatTimeoutMs,
    isUsable: isUsableWith(config),
    onOffice: (office) => {
      if (office === undefined) duties.end();
      else duties.begin(office);
    },
    clock,
    random: Math.random,
  });
  const { store: placements, membership } = core;
  const facts = () => ({
    workers: membership.known.list(),
    admissions: placements.admissions.workers,
    previous: placements.placement(placements.inForce?.version ?? 0) ?? first.planFrom,
    expertSize,
    secondsPerRow: core.routing.engine?.secondsPerRow() ?? 0,
    numLayers: layerIndices.length,
  });
  const first = fixedPlacement(config, model, placements.nextVersion);
  const planner = new Planner({
    facts,
    loads: () => monitor.loads('recent'),
    current: () => placements.document(placements.inForce?.version ?? 0),
    nextVersion: () => placements.nextVersion,
    moveBytesPerSecond: config.moveBytesPerSecond,
    plan: planInThread,
  });
  const admission = new WorkerAdmission(placements, membership, clock);
  const onAudit = auditor(placements, logger);
  const changes = new Changes({
    store: placements,
    storeId: store.storeId,
    world: moverWorld(core, clock),
    cannotTake: (workerId) => admission.cannotTake(workerId),
    expertBytes: expertSize.packedBytes,
    moveBytesPerSecond: config.moveBytesPerSecond,
    onAudit,
    logger,
    clock,
    wallMs: Date.now,
  });
  const drains = new Drains({ admission, planner, changes, onAudit, clock });
  const duties = new LeaderDuties({
    store: placements,
    known: membership.known,
    admission,
    planner,
    changes,
    drains,
    whyUnsettled: () => core.whyUnsettled,
    model,
    first: {
      ...first,
      policy: config.placementPolicy,
      redundantExperts: config.redundantExperts,
      survive: config.survive,
    },
    repairAfterMs: config.repairAfterMs,
    onWaiting: (because) => {
      options.serving.noPlacement(because);
    },
    onAudit,
    logger,
    clock,
  });
  const rebalancer = new AutoRebalancer({
    policy: {
      mode: config.rebalance,
      threshold: config.rebalanceThreshold,
      minGain: config.rebalanceMinGain,
      cooldownMs: config.rebalanceCooldownMs,
      quietHours: config.rebalanceQuietHours,
    },
    minTokens: config.balanceWindowTokens,
    monitor,
    office: () => core.office,
    planner,
    changes,
    mayChange: () => duties.mayChange,
    logger,
    clock,
    now: () => new Date(),
  });
  const admin = new ClusterControl({
    core,
    cluster: config.cluster,
    controlPlane,
    monitor,
    planner,
    changes,
    drains,
    admission,
    layerIndices,
    expertMemoryBytes: expertSize.memoryBytes,
    minGain: config.rebalanceMinGain,
    onAudit,
    forgetRecord: (workerId) => controlPlane.workers.delete(workerKey(workerId)),
    wallMs: Date.now,
  });
  return {
    core,
    admin,
    localShards: [...shardsOf(placements.routing ?? first.fixed ?? first.planFrom ?? NOWHERE, LOCAL_MEMBER)],
    loadedPlacement: () =>
      placements.routing && withoutIdle(placements.routing, (workerId) => admission.of(workerId) === 'accepting'),
    planCluster: () => planCluster({ ...facts(), withRoomToMove: false }),
    numMoves: () => changes.numMoves,
    close: async () => {
      rebalancer.close();
      duties.end();
      planner.close();
      await core.close();
    },
  };
}

const NOWHERE: Placement = { version: 0, numExperts: 0, workerIds: [], replicas: new Map() };
