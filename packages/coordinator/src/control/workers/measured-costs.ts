import { type WorkerCost, type WorkerCosts } from '../../dispatch/worker-cost.js';
import { type KnownWorker } from './known-workers.js';

/** Dispatch need not hear of every digit. */
const NOTABLE_CHANGE = 0.25;

/** What workers have measured of themselves; those that have not computed enough yet are left out. */
export const measuredCosts = (workers: readonly KnownWorker[]): WorkerCosts =>
  new Map(
    workers.flatMap(({ workerId, stats }) => {
      const { secondsPerActiveExpert = 0, secondsPerToken = 0 } = stats?.capacity ?? {};
      return secondsPerActiveExpert + secondsPerToken > 0
        ? [[workerId, { secondsPerActiveExpert, secondsPerToken }] as const]
        : [];
    }),
  );

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
