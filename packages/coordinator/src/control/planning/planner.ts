import { type PlacementDocument } from '@expertmesh/shared/cluster/placement-document';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type PlanCluster, type PlanWorker } from '@expertmesh/shared/placement/plan-cluster';
import {
  type PlacementPlan,
  type PlacementPolicy,
  type PlanOptions,
} from '@expertmesh/shared/placement/plan-placement';
import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { predictPlacement, type PlacementPrediction } from '@expertmesh/shared/placement/predict-placement';
import { planCluster, type ClusterFacts } from './plan-inputs.js';
import { type PlanTask } from './plan-in-thread.js';
import { PlanQueue } from './plan-queue.js';
import { oneBoxRemark } from './one-box.js';

export interface PlannerOptions {
  readonly facts: () => Omit<ClusterFacts, 'withRoomToMove' | 'dead'>;
  readonly loads: () => ExpertLoads;
  /** What is in force. */
  readonly current: () => PlacementDocument | undefined;
  readonly nextVersion: () => number;
  /** --move-bytes-per-second */
  readonly moveBytesPerSecond: number | undefined;
  readonly plan: (task: PlanTask, signal: AbortSignal) => Promise<PlacementPlan>;
}

export interface PlanWish {
  readonly policy: PlacementPolicy;
  /** Absent: as what is in force has. */
  readonly redundantExperts?: number | undefined;
  readonly survive?: number | undefined;
  /** Only these get experts; absent: all that are up and accepting. */
  readonly workerIds?: readonly string[];
  /** These lose what they hold. */
  readonly leaving?: ReadonlySet<string>;
  /** These get experts as if they were accepting. */
  readonly returning?: ReadonlySet<string>;
  readonly timeBudgetMs?: number;
  /** Experts are to be back soon: nothing else should move meanwhile. */
  readonly isUrgent?: boolean;
}

/** A plan with what it was made from. */
export interface MadePlan {
  readonly plan: PlacementPlan;
  readonly baseVersion: number;
  readonly redundantExperts: number;
  readonly survive: number;
  /** undefined where the placement in force cannot serve. */
  readonly before: PlacementPrediction | undefined;
  readonly after: PlacementPrediction;
  readonly observedTokens: number;
  readonly remarks: readonly string[];
}

const DEFAULT_TIME_BUDGET_MS = 2_000;
/**
 * What a move costs: workers are slower while they load, for as long as that takes, once in the time between two
 * changes.
 */
const ASSUMED_LOAD_BYTES_PER_SECOND = 200e6;
const STEPS_BETWEEN_CHANGES = 10_000;
const URGENT_MOVE_FACTOR = 1e6;

/** Plans placements for the cluster as it is and the loads as they were observed. */
export class Planner {
  readonly #options: PlannerOptions;
  readonly #queue = new PlanQueue();

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** @throws ExpertmeshError as planPlacement and PlanQueue.run, and `not_found` for a worker that nobody knows. */
  make(wish: PlanWish, signal: AbortSignal): Promise<MadePlan> {
    return this.#queue.run((planning) => this.#make(wish, planning), signal, wish.isUrgent === true);
  }

  /** Ends the plan under way; no other is made. */
  close(): void {
    this.#queue.close();
  }

  async #make(wish: PlanWish, signal: AbortSignal): Promise<MadePlan> {
    const current = this.#options.current();
    const loads = this.#options.loads();
    const { previous } = this.#options.facts();
    const { redundantExperts = current?.redundantExperts ?? 0, survive = current?.survive ?? 0 } = wish;
    const options = {
      redundantExperts,
      survive,
      version: this.#options.nextVersion(),
      ...(previous && { previous }),
      moveSecondsPerByte: this.#moveSecondsPerByte() * (wish.isUrgent === true ? URGENT_MOVE_FACTOR : 1),
      timeBudgetMs: wish.timeBudgetMs ?? DEFAULT_TIME_BUDGET_MS,
    };
    const { plan, cluster, remarks } = await this.#planWithRoom(wish, loads, options, signal);
    const after = predict(plan.placement, cluster, loads);
    const oneBox = oneBoxRemark(cluster, this.#options.facts(), loads, after.stepSeconds);
    return {
      plan,
      baseVersion: current?.placement.version ?? 0,
      redundantExperts,
      survive,
      before: current && predictIfPossible(current.placement, cluster, loads),
      after,
      observedTokens: observedTokens(loads),
      remarks: [...remarks, ...(oneBox === undefined ? [] : [oneBox])],
    };
  }

  /** Where experts are lost and not all their replicas find room again, one of each is better than none. */
  async #planWithRoom(wish: PlanWish, loads: ExpertLoads, options: PlanOptions, signal: AbortSignal) {
    try {
      return await this.#planMoves(wish, loads, options, signal);
    } catch (thrown) {
      const { code } = ExpertmeshError.from(thrown);
      const lacksRoom = code === 'resource_exhausted' || code === 'failed_precondition';
      if (!lacksRoom || !losesExperts(options.previous, wish.leaving)) throw thrown;
      const bare = { ...options, redundantExperts: 0, survive: 0 };
      const made = await this.#planMoves(wish, loads, bare, signal);
      return { ...made, remarks: [...made.remarks, BARE_REMARK] };
    }
  }

  async #planMoves(wish: PlanWish, loads: ExpertLoads, options: PlanOptions, signal: AbortSignal) {
    const attempt = async (withRoomToMove: boolean) => {
      const cluster = this.#cluster(wish, withRoomToMove);
      const { policy } = wish;
      return { cluster, plan: await this.#options.plan({ policy, cluster, loads, options }, signal) };
    };
    try {
      return { ...(await attempt(true)), remarks: [] };
    } catch (thrown) {
      if (ExpertmeshError.from(thrown).code !== 'resource_exhausted') throw thrown;
      return { ...(await attempt(false)), remarks: [NO_ROOM_REMARK] };
    }
  }

  #cluster({ workerIds = [], leaving, returning }: PlanWish, withRoomToMove: boolean): PlanCluster {
    const facts = this.#options.facts();
    const admissions = Object.fromEntries(
      Object.entries(facts.admissions).filter(([workerId]) => returning?.has(workerId) !== true),
    );
    const cluster = planCluster({ ...facts, admissions, withRoomToMove, ...(leaving && { dead: leaving }) });
    const unknown = workerIds.find((wished) => !cluster.workers.some(({ workerId }) => workerId === wished));
    if (unknown !== undefined)
      throw new ExpertmeshError(
        'not_found',
        `there is no worker ${unknown}: "expertmesh workers list" names those there are`,
      );
    return { ...cluster, workers: cluster.workers.map((worker) => restrict(worker, workerIds)) };
  }

  #moveSecondsPerByte(): number {
    return 1 / ((this.#options.moveBytesPerSecond ?? ASSUMED_LOAD_BYTES_PER_SECOND) * STEPS_BETWEEN_CHANGES);
  }
}

const NO_ROOM_REMARK =
  'the workers have no memory left for moving: a change may be refused for want of it; ' +
  'raise --memory-budget-bytes or add a worker';

const BARE_REMARK =
  'the workers that are left have no room for the redundancy: every expert is placed once; add a worker, and rebalance';

/** Whether an expert is with nobody else than these. */
function losesExperts(placement: Placement | undefined, leaving: ReadonlySet<string> | undefined): boolean {
  if (placement === undefined || leaving === undefined) return false;
  const isLeaving = placement.workerIds.map((workerId) => leaving.has(workerId));
  const isLost = (holders: readonly number[]): boolean => holders.every((holder) => isLeaving[holder]);
  return [...placement.replicas.values()].some((layer) => layer.some(isLost));
}

// What the coordinator computes itself stays with it whatever workers are named.
function restrict(worker: PlanWorker, workerIds: readonly string[]): PlanWorker {
  const isMeant = workerIds.length === 0 || workerIds.includes(worker.workerId);
  return isMeant || worker.workerId === LOCAL_MEMBER ? worker : { ...worker, state: 'draining' };
}

/** Over the workers that hold experts or could: one that has left for good is no reason to call the others uneven. */
function predict(placement: Placement, cluster: PlanCluster, loads: ExpertLoads): PlacementPrediction {
  const holders = new Set([...placement.replicas.values()].flat(2).map((holder) => placement.workerIds[holder]));
  const workers = cluster.workers.filter(({ workerId, state }) => state === 'accepting' || holders.has(workerId));
  return predictPlacement(placement, { ...cluster, workers }, loads);
}

function predictIfPossible(placement: Placement, cluster: PlanCluster, loads: ExpertLoads) {
  try {
    return predict(placement, cluster, loads);
  } catch (thrown) {
    // Some expert is with nobody: there is nothing to predict.
    if (ExpertmeshError.from(thrown).code === 'invalid_argument') return undefined;
    throw thrown;
  }
}

const observedTokens = ({ layers, topK }: ExpertLoads): number =>
  Math.max(0, ...layers.map(({ tokens }) => Array.from(tokens).reduce((total, count) => total + count, 0))) / topK;
