import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { routingShape } from '@expertmesh/shared/balance/routing-shape';
import { workerKey } from '@expertmesh/shared/cluster/cluster-keys';
import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { openControlPlane } from '@expertmesh/shared/control-plane/open-control-plane';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { moeLayerIndices } from '@expertmesh/shared/model/model-spec';
import { type Logger } from '@expertmesh/shared/process/logger';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { type OpenClient } from '@expertmesh/shared/rpc/openers';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { ExpertLoadMonitor } from '../balance/expert-load-monitor.js';
import { type ClusterAdmin } from '../control/cluster-admin.js';
import { ClusterControl } from '../control/cluster-control.js';
import { ClusterCore, type ClusterCoreOptions } from '../control/cluster-core.js';
import { Leading } from '../control/leading/leading.js';
import { fixedPlacement, isUsableWith } from '../control/leading/static-members.js';
import { WorkerAdmission } from '../control/leading/worker-admission.js';
import { type Shards } from '../control/placement/shards.js';
import { StateDirectory } from '../control/placement/state-directory.js';
import { KnownCluster } from '../control/planning/known-cluster.js';
import { planInThread } from '../control/planning/plan-in-thread.js';
import { expertSizeOf } from '../control/planning/store-size.js';
import { defaultStateDir } from './default-state-dir.js';
import { type ReadinessGate } from './readiness-gate.js';
import { ServingMonitor } from './serving-monitor.js';

export interface ClusterPartsOptions {
  readonly config: CoordinatorConfig;
  readonly store: ExpertStore;
  readonly gate: ReadinessGate;
  readonly logger: Logger;
  /** Undefined for plain text. */
  readonly security: TransportSecurity | undefined;
  readonly openClient: OpenClient;
}

/** The cluster's parts in this process, each made of those that come before it. */
export interface ClusterParts {
  readonly bootId: string;
  readonly controlPlane: ControlPlane;
  readonly serving: ServingMonitor;
  readonly core: ClusterCore;
  readonly known: KnownCluster;
  /** What the coordinator computes itself, for as long as it runs: by what was remembered or is fixed now. */
  readonly localShards: Shards;
  readonly monitor: ExpertLoadMonitor;
  readonly leading: Leading;
  readonly admin: ClusterAdmin;
}

/** Nothing happens, and nobody is spoken with, before `core.start`. */
export async function openClusterParts(options: ClusterPartsOptions): Promise<ClusterParts> {
  const { config, store, gate, logger, security } = options;
  const bootId = randomUUID();
  const stateDir = config.stateDir ?? defaultStateDir(config, store);
  const clientName = `expertmesh coordinator ${config.coordinatorId ?? ''}`.trim();
  const controlPlane = openControlPlane(config, clientName, logger, security);
  const serving = new ServingMonitor({ gate, logger });
  const expertSize = expertSizeOf(store);
  const core = createCore(options, { controlPlane, stateDir, serving, expertSize });
  const model = { layerIndices: moeLayerIndices(store.spec), numExperts: store.spec.numExperts };
  const first = fixedPlacement(config, model, core.store.nextVersion);
  const admission = new WorkerAdmission(core.store, core.membership, systemClock);
  const numLayers = model.layerIndices.length;
  const known = new KnownCluster({ core, admission, first, expertSize, numLayers });
  const localShards = [...known.localShards()];
  const monitor = await openMonitor(options, { bootId, controlPlane, stateDir, known });
  const leading = new Leading({
    config,
    storeId: store.storeId,
    model,
    core,
    known,
    admission,
    first,
    expertSize,
    monitor,
    onWaiting: (because) => {
      serving.noPlacement(because);
    },
    logger,
    clock: systemClock,
    wallMs: Date.now,
    plan: planInThread,
  });
  const admin = createAdmin(config, { core, controlPlane, monitor, leading, admission, model, expertSize });
  return { bootId, controlPlane, serving, core, known, localShards, monitor, leading, admin };
}

function createCore(
  { config, store, logger, openClient }: ClusterPartsOptions,
  parts: Pick<ClusterCoreOptions, 'controlPlane' | 'serving' | 'expertSize'> & { readonly stateDir: string },
): ClusterCore {
  return new ClusterCore({
    storeId: store.storeId,
    staticAddresses: config.workers,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
    heartbeatTimeoutMs: config.heartbeatTimeoutMs,
    ...parts,
    stateDirectory: new StateDirectory(join(parts.stateDir, 'placement'), logger),
    isUsable: isUsableWith(config),
    openClient,
    logger,
    clock: systemClock,
    random: Math.random,
  });
}

interface MonitorParts extends Pick<ClusterParts, 'bootId' | 'controlPlane' | 'known'> {
  readonly stateDir: string;
}

function openMonitor(
  { config, store, logger }: ClusterPartsOptions,
  { bootId, controlPlane, stateDir, known }: MonitorParts,
): Promise<ExpertLoadMonitor> {
  return ExpertLoadMonitor.open({
    shape: routingShape(store.spec),
    storeId: store.storeId,
    bootId,
    controlPlane,
    stateDir,
    windowTokens: config.balanceWindowTokens,
    placement: () => known.loadedPlacement(),
    cluster: () => known.planCluster(),
    logger,
  });
}

interface AdminParts extends Pick<ClusterParts, 'core' | 'controlPlane' | 'monitor' | 'leading'> {
  readonly admission: WorkerAdmission;
  readonly model: { readonly layerIndices: readonly number[] };
  readonly expertSize: { readonly memoryBytes: number };
}

function createAdmin(config: CoordinatorConfig, parts: AdminParts): ClusterControl {
  const { core, controlPlane, monitor, leading, admission, model, expertSize } = parts;
  const { planner, changes, drains, onAudit } = leading;
  return new ClusterControl({
    core,
    cluster: config.cluster,
    controlPlane,
    monitor,
    planner,
    changes,
    drains,
    admission,
    layerIndices: model.layerIndices,
    expertMemoryBytes: expertSize.memoryBytes,
    minGain: config.rebalanceMinGain,
    onAudit,
    forgetRecord: (workerId) => controlPlane.workers.delete(workerKey(workerId)),
    wallMs: Date.now,
  });
}
