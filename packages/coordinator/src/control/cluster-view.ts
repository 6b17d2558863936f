import { formatNetworkAddress } from '@expertmesh/shared/config/network-address';
import { type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { MAX_EPOCH_JUMP } from '@expertmesh/shared/limits/limits';
import {
  ChangeProgress,
  ChangeProgress_State,
  ClusterView,
  CoordinatorView,
  WorkerAdmission as AdmissionCode,
  WorkerAvailability,
  WorkerView,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type LeaderRecord } from '@expertmesh/shared/cluster/member-record';
import { type LoadMonitor } from '../balance/load-monitor.js';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { type ChangeFeed } from './change/change-feed.js';
import { layerSwitches } from './change/layer-switch.js';
import { type Coordinators } from './coordinators.js';
import { type PlacementStore } from './placement/placement-store.js';
import { includesShards, numReplicasIn, shardsOf } from './placement/shards.js';
import { type Admission, type WorkerAdmission } from './leading/worker-admission.js';
import { type KnownWorker } from './workers/known-workers.js';
import { type Membership } from './workers/membership.js';
import { type WorkerRates } from './workers/worker-rates.js';

export interface ClusterViewSources {
  readonly cluster: string;
  readonly controlPlane: string;
  readonly leader: LeaderRecord | undefined;
  readonly epoch: number;
  readonly store: PlacementStore;
  readonly membership: Membership;
  readonly admission: WorkerAdmission;
  readonly coordinators: Coordinators | undefined;
  readonly running: ChangeFeed | undefined;
  readonly monitor: LoadMonitor;
  readonly rates: WorkerRates;
  readonly dispatch: Pick<DispatchStats, 'workers' | 'quarantined'>;
  /** Memory of a replica where its worker does not say. */
  readonly expertMemoryBytes: number;
  readonly timeMs: number;
}

const NUM_HOTTEST = 10;

/** The cluster as this coordinator sees it. */
export function clusterView(sources: ClusterViewSources): ClusterView {
  const { cluster, coordinators, controlPlane, leader, epoch, store, membership, running, monitor, timeMs } = sources;
  const shares = monitor.workerShares('window');
  return ClusterView.create({
    cluster,
    coordinatorId: coordinators?.ownId ?? '',
    leaderId: leader?.coordinatorId ?? '',
    epoch,
    controlPlane,
    placementVersion: store.inForce?.version ?? 0,
    workers: membership.known.list().flatMap((worker) => {
      const admission = sources.admission.of(worker.workerId);
      return admission === 'removed' ? [] : [workerView(worker, ADMISSION_CODES[admission], sources, shares)];
    }),
    coordinators: coordinatorViews(sources),
    ...(store.inForce?.change && { change: running?.latest ?? progressFrom(store, store.inForce.change) }),
    balance: monitor.balance('window'),
    alarms: [...monitor.alarms()],
    hottestExperts: [...monitor.hottestExperts(NUM_HOTTEST)],
    timeMs,
  });
}

// On a coordinator that does not lead: what the placement in force says of it.
function progressFrom(
  store: PlacementStore,
  { toVersion, doneLayers }: NonNullable<PlacementInForce['change']>,
): ChangeProgress {
  const from = store.placement(store.inForce?.version ?? 0);
  const to = store.placement(toVersion);
  return ChangeProgress.create({
    state: ChangeProgress_State.STATE_MOVING,
    fromVersion: from?.version ?? 0,
    toVersion,
    layersDone: doneLayers.length,
    layersTotal: from === undefined || to === undefined ? 0 : layerSwitches(from, to).length,
    message: store.document(toVersion)?.reason ?? '',
  });
}

export type ReasonSources = Pick<ClusterViewSources, 'store' | 'dispatch'>;

function workerView(
  worker: KnownWorker,
  admission: AdmissionCode,
  { membership, store, rates, dispatch, expertMemoryBytes }: ClusterViewSources,
  shares: ReadonlyMap<string, number>,
): WorkerView {
  const { workerId, stats, dataAddress = '' } = worker;
  const address = membership.controlAddress(workerId);
  const capacity = stats?.capacity;
  const numReplicas = numReplicasIn(worker.holds);
  const sent = dispatch.workers.find((stream) => stream.workerId === workerId);
  return WorkerView.create({
    workerId,
    controlAddress: address === undefined ? '' : formatNetworkAddress(address),
    dataAddress,
    bootId: stats?.bootId ?? '',
    availability: availabilityOf(worker, store),
    admission,
    reason: reasonOf(worker, { store, dispatch }),
    failureDomain: capacity?.failureDomain ?? '',
    memoryBudgetBytes: stats?.memoryBudgetBytes ?? 0,
    memoryUsedBytes: numReplicas * Math.max(capacity?.expertMemoryBytes ?? 0, expertMemoryBytes),
    numReplicas,
    secondsPerActiveExpert: capacity?.secondsPerActiveExpert ?? 0,
    secondsPerToken: capacity?.secondsPerToken ?? 0,
    memoryBytesPerSecond: capacity?.memoryBytesPerSecond ?? 0,
    numCores: capacity?.numCores ?? 0,
    provider: capacity?.provider ?? '',
    tokenShare: shares.get(workerId) ?? 0,
    utilisation: rates.utilisation(workerId),
    meanRoundTripMs: sent === undefined ? 0 : sent.sumRoundTripMs / Math.max(1, sent.numAnswers),
    numFailedCalls: stats?.numFailedCalls ?? 0,
    epoch: stats?.epoch ?? 0,
    quarantined: dispatch.quarantined.some((entry) => entry.workerId === workerId),
    numDamagedExperts: stats?.numDamagedExperts ?? 0,
    numWithdrawnExperts: stats?.numWithdrawnExperts ?? 0,
    lastDamage: stats?.lastDamage ?? '',
  });
}

/**
 * Why a worker is away, takes no command of any leader, is asked for nothing that others hold, or lacks experts that it
 * should hold; else empty.
 */
export function reasonOf({ workerId, reason, stats }: KnownWorker, { store, dispatch }: ReasonSources): string {
  if (reason !== '') return reason;
  const epoch = stats?.epoch ?? 0;
  if (epoch > store.highestEpoch + MAX_EPOCH_JUMP)
    return (
      `epoch ${String(epoch)}, which no election gave, holds it: ` +
      `"expertmesh workers reset-epoch ${workerId}" has it take commands again`
    );
  const quarantined = dispatch.quarantined.find((entry) => entry.workerId === workerId);
  const numWithdrawn = stats?.numWithdrawnExperts ?? 0;
  const reasons = [
    ...(quarantined === undefined ? [] : [`in quarantine: ${quarantined.because}`]),
    ...(numWithdrawn === 0 ? [] : [`damaged in memory and withdrawn: ${counted(numWithdrawn, 'expert')}`]),
  ];
  return reasons.join('; ');
}

const counted = (count: number, noun: string): string => `${String(count)} ${noun}${count === 1 ? '' : 's'}`;

function availabilityOf({ state, holds, workerId }: KnownWorker, { routing }: PlacementStore): WorkerAvailability {
  if (state === 'away') return WorkerAvailability.WORKER_AVAILABILITY_AWAY;
  const isComplete = routing !== undefined && includesShards(holds, shardsOf(routing, workerId));
  return isComplete ? WorkerAvailability.WORKER_AVAILABILITY_UP : WorkerAvailability.WORKER_AVAILABILITY_JOINING;
}

const ADMISSION_CODES: Readonly<Record<Exclude<Admission, 'removed'>, AdmissionCode>> = {
  accepting: AdmissionCode.WORKER_ADMISSION_ACCEPTING,
  cordoned: AdmissionCode.WORKER_ADMISSION_CORDONED,
  draining: AdmissionCode.WORKER_ADMISSION_DRAINING,
  drained: AdmissionCode.WORKER_ADMISSION_DRAINED,
};

const coordinatorViews = ({ coordinators, leader }: ClusterViewSources): CoordinatorView[] =>
  (coordinators?.list() ?? []).map(({ record, isAlive }) => {
    const { coordinatorId, adminAddress, appliedVersion, load } = record;
    const isLeader = coordinatorId === leader?.coordinatorId;
    return CoordinatorView.create({
      coordinatorId,
      adminAddress,
      isLeader,
      isAlive,
      placementVersion: appliedVersion,
      ...load,
    });
  });
