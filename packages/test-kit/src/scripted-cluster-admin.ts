import { type ClusterAdmin } from '@expertmesh/coordinator/control/cluster-admin';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  AuditRecord,
  BalanceView,
  ChangeProgress,
  ChangeProgress_State as State,
  ClusterView,
  PlacementPlan,
  PlacementView,
  WorkerAdmission as Admission,
  WorkerAvailability as Availability,
  WorkerView,
  type ApplyRequest,
  type AuditLog,
  type CommandOutcome,
  type GetPlacementRequest,
  type PlacementHistory,
  PlanRequest,
  type RebalanceRequest,
  type RollbackRequest,
  type WorkerCommand,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';

const NUM_EXPERTS = 8;
const LAYER_INDICES = [0, 1];

/**
 * A cluster of three workers that exists only here: what it is told to do is done at once, and it keeps the rules of a
 * real one.
 */
export class ScriptedClusterAdmin implements ClusterAdmin {
  readonly coordinatorId: string;
  /** Where the leader is; undefined where this is it. */
  leader: string | undefined;
  readonly workers = ['w0', 'w1', 'w2'].map(workerView);
  readonly placements = [placementView(1, 'contiguous', (expertId) => [Math.floor((expertId * 3) / NUM_EXPERTS)])];
  readonly auditRecords: AuditRecord[] = [];
  /** The change does not get past this many layers until `finishChange` is called. */
  stopAfterLayers: number | undefined;
  /** Why the next change is taken back. */
  failChange: string | undefined;
  /** How a dry run of a rebalance ends. */
  dryRunMessage = 'a dry run changes nothing';
  #finish: () => void = () => undefined;

  constructor(coordinatorId = 'c0') {
    this.coordinatorId = coordinatorId;
  }

  finishChange(): void {
    this.#finish();
  }

  get inForce(): PlacementView {
    return this.placements.at(-1) ?? PlacementView.create();
  }

  leaderAddress(): string | undefined {
    return this.leader;
  }

  view(): ClusterView {
    return ClusterView.fromPartial({
      cluster: 'default',
      coordinatorId: this.coordinatorId,
      leaderId: 'c0',
      epoch: 4,
      controlPlane: 'connected',
      placementVersion: this.inForce.version,
      workers: this.workers,
      coordinators: [
        { coordinatorId: 'c0', isLeader: true, isAlive: true, generationTokensPerSecond: 41.5, numRunning: 3 },
        { coordinatorId: 'c1', isAlive: true, generationTokensPerSecond: 8.5, numWaiting: 2 },
      ],
      balance: BALANCE,
      alarms: [{ name: 'hot-expert', message: 'expert 3 of layer 1 has 5.0 times the mean', sinceMs: 1 }],
      hottestExperts: [{ layerIndex: 1, expertId: 3, share: 0.4, timesMean: 3.2, workerIds: ['w1'] }],
      timeMs: 1_700_000_000_000,
    });
  }

  async cordon(command: WorkerCommand): Promise<CommandOutcome> {
    return this.#admit(command, 'cordon', Admission.WORKER_ADMISSION_CORDONED);
  }

  async uncordon(command: WorkerCommand): Promise<CommandOutcome> {
    return this.#admit(command, 'uncordon', Admission.WORKER_ADMISSION_ACCEPTING);
  }

  async *drain(command: WorkerCommand): AsyncGenerator<ChangeProgress> {
    await this.#admit(command, 'drain', Admission.WORKER_ADMISSION_DRAINING);
    yield* this.#change(this.inForce.version + 1, undefined);
    await this.#admit(command, 'drained', Admission.WORKER_ADMISSION_DRAINED);
  }

  async remove(command: WorkerCommand): Promise<CommandOutcome> {
    await Promise.resolve();
    const worker = this.#worker(command.workerId);
    if (worker.numReplicas > 0)
      throw new ExpertmeshError(
        'failed_precondition',
        `worker ${command.workerId} holds ${String(worker.numReplicas)} replicas: drain it first`,
      );
    this.workers.splice(this.workers.indexOf(worker), 1);
    this.#audit(command.actor, 'remove', '', '');
    return { message: `removed ${command.workerId}` };
  }

  async placement({ version }: GetPlacementRequest): Promise<PlacementView> {
    await Promise.resolve();
    const found = version === 0 ? this.inForce : this.placements.find((candidate) => candidate.version === version);
    if (found === undefined) throw new ExpertmeshError('not_found', `there is no placement ${String(version)}`);
    return found;
  }

  async plan({ policy, redundantExperts = 0 }: PlanRequest): Promise<PlacementPlan> {
    await Promise.resolve();
    this.#requireLeader();
    const placement = placementView(this.inForce.version + 1, policy === '' ? 'balanced' : policy, (expertId) =>
      expertId < redundantExperts ? [expertId % 3, (expertId + 1) % 3] : [expertId % 3],
    );
    return PlacementPlan.fromPartial({
      baseVersion: this.inForce.version,
      placement,
      before: BALANCE,
      after: { ...BALANCE, meanBalancedness: 0.97, worstBalancedness: 0.95 },
      bytesToMove: 5_000_000_000,
      numLoads: 2,
      numDrops: 1,
      moves: [
        { workerId: 'w0', layerIndex: 0, load: [3], drop: [1] },
        { workerId: 'w2', layerIndex: 1, load: [0], drop: [] },
      ],
      observedTokens: 12_345,
      remarks: ['one box alone would be faster: 41 tok/s instead of 28'],
    });
  }

  async *apply({ plan, actor }: ApplyRequest): AsyncGenerator<ChangeProgress> {
    this.#requireVersion(plan?.baseVersion ?? 0);
    this.#audit(actor, 'apply', String(plan?.baseVersion), String(plan?.placement?.version));
    yield* this.#change(plan?.placement?.version ?? 0, plan);
  }

  async history(limit: number): Promise<PlacementHistory> {
    await Promise.resolve();
    const placements = this.placements.map((placement) => ({ ...placement, layers: [] }));
    return { placements: placements.reverse().slice(0, limit) };
  }

  async *rollback({ toVersion, expectedVersion, actor }: RollbackRequest): AsyncGenerator<ChangeProgress> {
    this.#requireVersion(expectedVersion);
    await this.placement({ version: toVersion });
    this.#audit(actor, 'rollback', String(expectedVersion), String(toVersion));
    yield* this.#change(this.inForce.version + 1, undefined);
  }

  async *rebalance({ dryRun, plan: request, actor }: RebalanceRequest): AsyncGenerator<ChangeProgress> {
    const plan = await this.plan(request ?? PlanRequest.create());
    this.#audit(actor, 'rebalance', '', '');
    if (dryRun) {
      yield this.#progress(State.STATE_PLANNED, plan.placement?.version ?? 0, 0, 'planned', plan);
      yield this.#progress(State.STATE_NOT_NEEDED, plan.placement?.version ?? 0, 0, this.dryRunMessage);
    } else yield* this.#change(plan.placement?.version ?? 0, plan);
  }

  audit(limit: number): Promise<AuditLog> {
    return Promise.resolve({ records: [...this.auditRecords].reverse().slice(0, limit) });
  }

  async *#change(toVersion: number, plan: PlacementPlan | undefined): AsyncGenerator<ChangeProgress> {
    yield this.#progress(State.STATE_PLANNED, toVersion, 0, 'planned', plan);
    for (const [done] of LAYER_INDICES.entries()) {
      if (done === this.stopAfterLayers) await new Promise<void>((resolve) => (this.#finish = resolve));
      yield this.#progress(State.STATE_MOVING, toVersion, done + 1, `layer ${String(done)} is done`);
    }
    if (this.failChange !== undefined) {
      yield this.#progress(State.STATE_ROLLED_BACK, toVersion, 0, this.failChange);
      return;
    }
    this.placements.push({ ...(plan?.placement ?? this.inForce), version: toVersion });
    yield this.#progress(State.STATE_DONE, toVersion, LAYER_INDICES.length, 'in force');
  }

  #progress(
    state: State,
    toVersion: number,
    layersDone: number,
    message: string,
    plan?: PlacementPlan,
  ): ChangeProgress {
    return ChangeProgress.fromPartial({
      state,
      fromVersion: this.inForce.version,
      toVersion,
      layersDone,
      layersTotal: LAYER_INDICES.length,
      bytesDone: layersDone * 2_500_000_000,
      bytesTotal: 5_000_000_000,
      message,
      ...(plan === undefined ? {} : { plan }),
    });
  }

  async #admit({ workerId, actor }: WorkerCommand, action: string, admission: Admission): Promise<CommandOutcome> {
    this.#requireLeader();
    const worker = this.#worker(workerId);
    this.#audit(actor, action, String(worker.admission), String(admission));
    worker.admission = admission;
    return Promise.resolve({ message: `${action}: ${workerId}` });
  }

  #worker(workerId: string): WorkerView {
    const worker = this.workers.find((candidate) => candidate.workerId === workerId);
    if (worker === undefined)
      throw new ExpertmeshError('not_found', `there is no worker ${workerId}: see "expertmesh workers list"`);
    return worker;
  }

  #requireLeader(): void {
    if (this.leader !== undefined) throw new ExpertmeshError('failed_precondition', 'this coordinator does not lead');
  }

  #requireVersion(version: number): void {
    this.#requireLeader();
    if (version !== this.inForce.version)
      throw new ExpertmeshError(
        'failed_precondition',
        `placement ${String(version)} is no longer in force, ${String(this.inForce.version)} is: plan again`,
      );
  }

  #audit(actor: string, action: string, before: string, after: string): void {
    this.auditRecords.push(AuditRecord.fromPartial({ timeMs: 1, actor, action, before, after, outcome: 'done' }));
  }
}

const BALANCE = BalanceView.fromPartial({
  meanBalancedness: 0.77,
  worstBalancedness: 0.68,
  worstLayerIndex: 1,
  meanWeightedBalancedness: 0.75,
  worstWeightedBalancedness: 0.66,
  stepSeconds: 0.024,
  workersPerToken: 2.5,
  gini: 0.2,
});

function workerView(workerId: string, index: number): WorkerView {
  return WorkerView.fromPartial({
    workerId,
    controlAddress: `10.0.0.${String(index)}:9101`,
    dataAddress: `10.0.0.${String(index)}:9100`,
    bootId: `boot-${String(index)}`,
    availability: index === 2 ? Availability.WORKER_AVAILABILITY_AWAY : Availability.WORKER_AVAILABILITY_UP,
    admission: Admission.WORKER_ADMISSION_ACCEPTING,
    reason: index === 2 ? 'no heartbeat for 12 s' : '',
    failureDomain: `box-${String(index)}`,
    memoryBudgetBytes: 8_000_000_000,
    memoryUsedBytes: 5_000_000_000,
    numReplicas: 6 - index,
    numCores: 4,
    provider: 'native',
    tokenShare: 0.5 - 0.1 * index,
    utilisation: 0.4,
    meanRoundTripMs: 1.5,
    ...(index === 1 && { quarantined: true, reason: 'in quarantine: 3 wrong answers; withdrawn: 1 expert' }),
    ...(index === 1 && { numDamagedExperts: 2, numWithdrawnExperts: 1, lastDamage: 'expert-003.bin has sha256 1' }),
  });
}

function placementView(
  version: number,
  policy: string,
  holders: (expertId: number) => readonly number[],
): PlacementView {
  const held = Array.from({ length: NUM_EXPERTS }, (_, expertId) => holders(expertId));
  const offsets = [0];
  for (const workers of held) offsets.push((offsets.at(-1) ?? 0) + workers.length);
  return PlacementView.fromPartial({
    version,
    epoch: 4,
    policy,
    actor: 'ada@box',
    reason: 'first placement',
    createdMs: 1_700_000_000_000,
    workerIds: ['w0', 'w1', 'w2'],
    numExperts: NUM_EXPERTS,
    layers: LAYER_INDICES.map((layerIndex) => ({
      layerIndex,
      offsets,
      workerIndices: held.flat(),
      expertTokens: held.map((_, expertId) => (expertId === 3 ? 40 : 8)),
    })),
    balance: BALANCE,
  });
}
