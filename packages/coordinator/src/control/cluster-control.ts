import { type PlacementDocument } from '@expertmesh/shared/cluster/placement-document';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  ChangeProgress,
  ChangeProgress_State,
  PlacementView,
  type ApplyRequest,
  type AuditLog,
  type ClusterView,
  type CommandOutcome,
  type GetPlacementRequest,
  type PlacementHistory,
  type PlacementPlan,
  type PlanRequest,
  type RebalanceRequest,
  type RollbackRequest,
  type WorkerCommand,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type LoadMonitor } from '../balance/load-monitor.js';
import { admit } from './leading/admit.js';
import { orderOf, type ChangeOrder } from './change/change-order.js';
import { type AuditEntry, type Changes } from './change/changes.js';
import { type Drains } from './change/drains.js';
import { type ClusterAdmin } from './cluster-admin.js';
import { type ClusterCore } from './cluster-core.js';
import { clusterView } from './cluster-view.js';
import { gainOf, isWorthMoving } from './decisions/auto-rebalance.js';
import { requireOffice, type Office } from './leading/leadership.js';
import { documentView, placementFromView, placementLayers } from './planning/plan-message.js';
import { achievedSurvival, redundantExpertsOf, toPlanMessage, toWish } from './planning/plan-request.js';
import { type Planner, type PlanWish } from './planning/planner.js';
import { type Admission, type WorkerAdmission } from './leading/worker-admission.js';
import { failureDomainOf } from './workers/known-workers.js';

export interface ClusterControlOptions {
  readonly core: ClusterCore;
  readonly cluster: string;
  readonly controlPlane: Pick<ControlPlane, 'kind' | 'state'>;
  readonly monitor: LoadMonitor;
  readonly planner: Planner;
  readonly changes: Changes;
  readonly drains: Drains;
  readonly admission: WorkerAdmission;
  readonly layerIndices: readonly number[];
  readonly expertMemoryBytes: number;
  /** --rebalance-min-gain */
  readonly minGain: number;
  readonly onAudit: (entry: AuditEntry) => void;
  /** Takes a worker's record out of the control plane. */
  readonly forgetRecord: (workerId: string) => Promise<void>;
  readonly wallMs: () => number;
}

/** The operator's side of the cluster; see ClusterAdmin. */
export class ClusterControl implements ClusterAdmin {
  readonly #options: ClusterControlOptions;

  constructor(options: ClusterControlOptions) {
    this.#options = options;
  }

  leaderAddress(): string | undefined {
    const { leader, coordinators } = this.#options.core;
    const leaderId = leader?.coordinatorId;
    return leaderId === undefined || leaderId === coordinators?.ownId
      ? undefined
      : coordinators?.adminAddress(leaderId);
  }

  view(): ClusterView {
    const { core, controlPlane, changes, wallMs } = this.#options;
    return clusterView({
      ...this.#options,
      controlPlane: controlPlane.kind === 'embedded' ? 'embedded' : controlPlane.state,
      leader: core.leader,
      epoch: core.leader?.epoch ?? core.store.highestEpoch,
      store: core.store,
      membership: core.membership,
      coordinators: core.coordinators,
      rates: core.rates,
      running: changes.running,
      dispatch: core.routing.engine?.dispatchStats() ?? { workers: [], quarantined: [] },
      timeMs: wallMs(),
    });
  }

  async cordon(command: WorkerCommand): Promise<CommandOutcome> {
    this.#office();
    await this.#admit(command, 'cordoned', 'cordon');
    return { message: `worker ${command.workerId} keeps its experts and gets no new ones` };
  }

  async uncordon(command: WorkerCommand): Promise<CommandOutcome> {
    this.#office();
    await this.#admit(command, 'accepting', 'uncordon');
    return { message: `worker ${command.workerId} may get experts again: "expertmesh rebalance" gives it some` };
  }

  async remove(command: WorkerCommand): Promise<CommandOutcome> {
    this.#office();
    const { workerId } = command;
    const { admission, forgetRecord } = this.#options;
    admission.requireRemovable(workerId);
    const numReplicas = admission.numReplicas(workerId);
    await this.#admit(command, 'removed', 'remove');
    await forgetRecord(workerId);
    const moved = numReplicas === 0 ? '' : `; its ${String(numReplicas)} replicas are loaded elsewhere`;
    return { message: `worker ${workerId} is forgotten${moved}` };
  }

  async *drain(command: WorkerCommand): AsyncGenerator<ChangeProgress, void, undefined> {
    const office = this.#office();
    const { admission, drains } = this.#options;
    admission.requireKnown(command.workerId);
    const feed = await drains.begin(command, office);
    yield* feed.follow();
  }

  async placement({ version }: GetPlacementRequest): Promise<PlacementView> {
    const { core, monitor } = this.#options;
    const wanted = version === 0 ? core.store.inForce?.version : version;
    if (wanted === undefined) throw new ExpertmeshError('not_found', 'no placement is in force yet');
    const document = this.#document(wanted);
    const isCurrent = document.placement.version === core.store.inForce?.version;
    const layers = placementLayers(document.placement, isCurrent ? monitor.loads('recent') : undefined);
    const balance = isCurrent ? { balance: monitor.balance('recent') } : {};
    return Promise.resolve({ ...documentView(document), layers, ...balance });
  }

  async plan(request: PlanRequest, signal: AbortSignal): Promise<PlacementPlan> {
    const wish = toWish(request);
    const { planner, layerIndices, monitor } = this.#options;
    return toPlanMessage(await planner.make(wish, signal), wish.policy, layerIndices, monitor.loads('recent'));
  }

  async *apply({ plan, actor }: ApplyRequest): AsyncGenerator<ChangeProgress, void, undefined> {
    const office = this.#office();
    const view = plan?.placement ?? PlacementView.create();
    const { layerIndices } = this.#options;
    const placement = placementFromView(view, layerIndices);
    const { policy } = toWish({ policy: view.policy, workerIds: [], timeBudgetSeconds: 0 });
    const reason = view.reason === '' ? 'a plan was applied' : view.reason;
    const measures = { redundantExperts: redundantExpertsOf(placement), survive: this.#survivalOf(placement) };
    yield* this.#start(
      { policy, actor, reason, placement, ...measures, expectedVersion: plan?.baseVersion ?? 0 },
      office,
    );
  }

  async history(limit: number): Promise<PlacementHistory> {
    return Promise.resolve({ placements: this.#options.core.store.history(limit).map(documentView) });
  }

  async *rollback(request: RollbackRequest): AsyncGenerator<ChangeProgress, void, undefined> {
    const office = this.#office();
    const { toVersion, expectedVersion, actor } = request;
    const document = this.#document(toVersion);
    yield* this.#start({ ...document, actor, reason: `back to version ${String(toVersion)}`, expectedVersion }, office);
  }

  async *rebalance(
    { plan, dryRun, actor }: RebalanceRequest,
    signal: AbortSignal,
  ): AsyncGenerator<ChangeProgress, void, undefined> {
    const office = this.#office();
    const wish = plan === undefined ? BALANCED : toWish(plan);
    const { planner, layerIndices, monitor, minGain } = this.#options;
    const made = await planner.make(wish, signal);
    const message = toPlanMessage(made, wish.policy, layerIndices, monitor.loads('recent'));
    const gain = gainOf(made.before, made.after);
    if (dryRun || !isWorthMoving(wish, gain, minGain)) {
      const why = `the plan gains ${percent(gain)}; --rebalance-min-gain of the coordinator is ${percent(minGain)}`;
      yield ChangeProgress.create({ state: ChangeProgress_State.STATE_NOT_NEEDED, message: why, plan: message });
      return;
    }
    let isFirst = true;
    const order = orderOf(made, { policy: wish.policy, actor, reason: 'rebalanced' });
    for await (const progress of this.#start(order, office)) {
      yield isFirst ? { ...progress, plan: message } : progress;
      isFirst = false;
    }
  }

  async audit(limit: number): Promise<AuditLog> {
    return Promise.resolve({ records: this.#options.core.store.audit(limit) });
  }

  #document(version: number): PlacementDocument {
    const document = this.#options.core.store.document(version);
    if (document !== undefined) return document;
    throw new ExpertmeshError(
      'not_found',
      `there is no placement version ${String(version)}: "expertmesh placement history" lists those that are kept`,
    );
  }

  #office(): Office {
    return requireOffice(this.#options.core.office, this.#options.controlPlane.state);
  }

  async #admit(command: WorkerCommand, after: Admission, action: string): Promise<void> {
    const { workerId } = command;
    this.#options.admission.requireKnown(workerId);
    await admit(this.#options, command, after, { action: `${action} worker ${workerId}`, outcome: 'done' });
  }

  async *#start(order: ChangeOrder, office: Office): AsyncGenerator<ChangeProgress, void, undefined> {
    const feed = await this.#options.changes.start(order, office);
    yield* feed.follow();
  }

  #survivalOf(placement: ChangeOrder['placement']): number {
    const { known } = this.#options.core.membership;
    return achievedSurvival(placement, (workerId) => failureDomainOf(known.get(workerId) ?? { workerId }));
  }
}

const BALANCED: PlanWish = { policy: 'balanced' };

const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;
