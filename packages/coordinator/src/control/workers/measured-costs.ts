import { type WorkerCost, type WorkerCosts } from '../../dispatch/worker-cost.js';
import { type KnownWorker } from './known-workers.js';

/** Dispatch need not hear of every digit. */
const NOTABLE_CHANGE = 0.25;

/** Boxes of the same kind whose figures differ by less are equal, and only measured at different moments. */
const EQUAL_WITHIN = 1.5;

/**
 * What each worker has measured of itself, or the median of its kind (provider and cores) where that is near: else
 * chance would make workers uneven that are alike, in plans and at dispatch. Those that have not computed enough yet
 * are left out.
 */
export function measuredCosts(workers: readonly KnownWorker[]): WorkerCosts {
  const byKind = new Map<string, Map<string, WorkerCost>>();
  for (const worker of workers) {
    const cost = ownCost(worker);
    if (cost === undefined) continue;
    const ofKind = byKind.get(kindOf(worker)) ?? new Map<string, WorkerCost>();
    byKind.set(kindOf(worker), ofKind.set(worker.workerId, cost));
  }
  return new Map(
    [...byKind.values()].flatMap((ofKind) => {
      const typical = medianCost([...ofKind.values()]);
      return [...ofKind].map(([workerId, own]) => [workerId, isNear(own, typical) ? typical : own] as const);
    }),
  );
}

function medianCost(costs: readonly WorkerCost[]): WorkerCost {
  const median = (field: keyof WorkerCost): number =>
    costs.map((cost) => cost[field]).sort((a, b) => a - b)[Math.floor(costs.length / 2)] ?? 0;
  return { secondsPerActiveExpert: median('secondsPerActiveExpert'), secondsPerToken: median('secondsPerToken') };
}

function isNear(own: WorkerCost, typical: WorkerCost): boolean {
  const ratio = pairSeconds(own) / pairSeconds(typical);
  return ratio < EQUAL_WITHIN && ratio > 1 / EQUAL_WITHIN;
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

/**
 * Whether replicas would be chosen by rather different figures, or by those of a process that has been started again
 * since.
 */
export function differNotably(told: WorkerCosts, now: WorkerCosts): boolean {
  return (
    [...told.keys()].some((workerId) => !now.has(workerId)) ||
    [...now].some(([workerId, cost]) => {
      const before = told.get(workerId);
      return (
        before === undefined ||
        isFarFrom(before, cost, 'secondsPerActiveExpert') ||
        isFarFrom(before, cost, 'secondsPerToken')
      );
    })
  );
}

const isFarFrom = (before: WorkerCost, now: WorkerCost, field: keyof WorkerCost): boolean =>
  Math.abs(now[field] - before[field]) > NOTABLE_CHANGE * Math.max(before[field], now[field]);
