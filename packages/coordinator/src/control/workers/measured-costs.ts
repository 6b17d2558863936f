import { type WorkerCost, type WorkerCosts } from '../../dispatch/worker-cost.js';
import { type KnownWorker } from './known-workers.js';

/** Dispatch need not hear of every digit. */
const NOTABLE_CHANGE = 0.25;

/** Boxes of the same kind whose figures differ by less are equal, and only measured at different moments. */
const EQUAL_WITHIN = 1.5;

/** What each worker takes, as measuredCost has it; those that have not computed enough yet are left out. */
export const measuredCosts = (workers: readonly KnownWorker[]): WorkerCosts =>
  new Map(
    workers.flatMap((worker) => {
      const cost = measuredCost(worker, workers);
      return cost === undefined ? [] : [[worker.workerId, cost] as const];
    }),
  );

/**
 * What a worker has measured of itself, or the median of its kind (provider and cores) where that is near: else chance would make workers uneven that
 * are alike, in plans and at dispatch. Undefined before it has computed enough.
 */
export function measuredCost(worker: KnownWorker, workers: readonly KnownWorker[]): WorkerCost | undefined {
  const own = ownCost(worker);
  if (own === undefined) return undefined;
  const ofKind = workers.filter((other) => kindOf(other) === kindOf(worker)).flatMap((other) => ownCost(other) ?? []);
  const median = (field: keyof WorkerCost): number =>
    ofKind.map((cost) => cost[field]).sort((a, b) => a - b)[Math.floor(ofKind.length / 2)] ?? own[field];
  const typical = {
    secondsPerActiveExpert: median('secondsPerActiveExpert'),
    secondsPerToken: median('secondsPerToken'),
  };
  const ratio = pairSeconds(own) / pairSeconds(typical);
  return ratio < EQUAL_WITHIN && ratio > 1 / EQUAL_WITHIN ? typical : own;
}

function ownCost({ stats }: KnownWorker): WorkerCost | undefined {
  const { secondsPerActiveExpert = 0, secondsPerToken = 0 } = stats?.capacity ?? {};
  return secondsPerActiveExpert + secondsPerToken > 0 ? { secondsPerActiveExpert, secondsPerToken } : undefined;
}

const kindOf = ({ stats }: KnownWorker): string =>
  `${stats?.capacity?.provider ?? ''} ${String(stats?.capacity?.numCores ?? 0)}`;

/** One token for one expert. */
const pairSeconds = ({ secondsPerActiveExpert, secondsPerToken }: WorkerCost): number =>
  secondsPerActiveExpert + secondsPerToken;

/** Whether replicas would be chosen by rather different figures. */
export const differNotably = (told: WorkerCosts, now: WorkerCosts): boolean =>
  [...now].some(([workerId, cost]) => {
    const before = told.get(workerId);
    return (
      before === undefined ||
      isFarFrom(before, cost, 'secondsPerActiveExpert') ||
      isFarFrom(before, cost, 'secondsPerToken')
    );
  });

const isFarFrom = (before: WorkerCost, now: WorkerCost, field: keyof WorkerCost): boolean =>
  Math.abs(now[field] - before[field]) > NOTABLE_CHANGE * Math.max(before[field], now[field]);
