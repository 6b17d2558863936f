import { type WorkerAdmissions } from '@expertmesh/shared/cluster/placement-document';
import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { numReplicasIn, shardsOf } from '../placement/shards.js';
import { failureDomainOf, type KnownWorker } from '../workers/known-workers.js';

export interface RepairFacts {
  readonly placement: Placement;
  /** Failure domains beyond the first that every expert is to be in. */
  readonly survive: number;
  readonly workers: readonly KnownWorker[];
  readonly admissions: WorkerAdmissions['workers'];
  /** --repair-after-ms */
  readonly repairAfterMs: number;
  /** The same where an expert has no replica left; absent for no sooner. */
  readonly lostAfterMs?: number | undefined;
  readonly nowMs: number;
}

/** Workers that lose what they hold, and why; undefined where nothing has to be done. */
export interface Repair {
  readonly dead: ReadonlySet<string>;
  readonly reason: string;
}

/**
 * Decides whether experts have to go elsewhere: a worker died that the placement cannot serve or survive without, or an
 * operator had one drained or removed, and whoever led then did not get to the end of it.
 */
export function decideRepair(facts: RepairFacts): Repair | undefined {
  const { placement, admissions } = facts;
  const holders = placement.workerIds.filter(
    (workerId) => workerId !== LOCAL_MEMBER && numReplicasIn(shardsOf(placement, workerId)) > 0,
  );
  const dead = new Set(holders.filter((workerId) => isDead(workerId, facts)));
  for (const workerId of lostHolders(holders, facts)) dead.add(workerId);
  const leaving = holders.filter((workerId) => isLeaving(admissions[workerId]) && !dead.has(workerId));
  if (leaving.length > 0) return { dead, reason: `${listed(leaving)} drained` };
  if (dead.size > 0 && needs(facts, dead)) return { dead, reason: `${listed([...dead])} dead` };
  return undefined;
}

/** Workers that are away, where they leave an expert without any replica: who needs that waits. */
function lostHolders(holders: readonly string[], facts: RepairFacts): readonly string[] {
  const { placement, lostAfterMs } = facts;
  if (lostAfterMs === undefined) return [];
  const sooner = { ...facts, repairAfterMs: Math.min(lostAfterMs, facts.repairAfterMs) };
  const away = new Set(holders.filter((workerId) => isDead(workerId, sooner)));
  const isAway = placement.workerIds.map((workerId) => away.has(workerId));
  const isLost = (owners: readonly number[]): boolean => owners.every((owner) => isAway[owner] === true);
  return [...placement.replicas.values()].some((layer) => layer.some(isLost)) ? [...away] : [];
}

const isLeaving = (admission: RepairFacts['admissions'][string] | undefined): boolean =>
  admission === 'draining' || admission === 'drained' || admission === 'removed';

/** Away for too long, forgotten, or removed. */
export function isDead(workerId: string, { workers, admissions, repairAfterMs, nowMs }: DeathFacts): boolean {
  const worker = workers.find((known) => known.workerId === workerId);
  if (worker === undefined) return true;
  if (worker.state === 'up') return false;
  return admissions[workerId] === 'removed' || nowMs - worker.stateSinceMs >= repairAfterMs;
}

type DeathFacts = Pick<RepairFacts, 'workers' | 'admissions' | 'repairAfterMs' | 'nowMs'>;

/** Whether an expert has too few failure domains left without the dead. */
function needs({ placement, survive, workers }: RepairFacts, dead: ReadonlySet<string>): boolean {
  const domains = placement.workerIds.map((workerId) => {
    if (dead.has(workerId)) return undefined;
    return failureDomainOf(workers.find((known) => known.workerId === workerId) ?? { workerId });
  });
  const numDomains = (holders: readonly number[]): number =>
    new Set(holders.flatMap((holder) => domains[holder] ?? [])).size;
  return [...placement.replicas.values()].some((layer) => layer.some((holders) => numDomains(holders) < survive + 1));
}

const listed = (workerIds: readonly string[]): string =>
  `worker${workerIds.length === 1 ? '' : 's'} ${workerIds.join(', ')} ${workerIds.length === 1 ? 'is' : 'are'}`;
