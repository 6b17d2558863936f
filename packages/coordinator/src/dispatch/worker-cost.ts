/**
 * What a worker's share of a layer call costs: as the planner has it, a x active experts + b x (token, expert) pairs.
 */
export interface WorkerCost {
  readonly secondsPerActiveExpert: number;
  readonly secondsPerToken: number;
}

/** By worker id. Workers that are not named cost what the named ones cost on average. */
export type WorkerCosts = ReadonlyMap<string, WorkerCost>;

/**
 * While nothing is known, all workers are alike; what counts then is that reading an expert costs as much as about ten
 * pairs.
 */
const UNKNOWN: WorkerCost = { secondsPerActiveExpert: 100e-6, secondsPerToken: 10e-6 };

/** The costs of some workers, in their order. Figures that make no sense count as unknown. */
export function costsOf(workerIds: readonly string[], costs: WorkerCosts): WorkerCost[] {
  const known = [...costs.values()].filter(isUsable);
  const mean = known.length === 0 ? UNKNOWN : meanCost(known);
  return workerIds.map((workerId) => {
    const cost = costs.get(workerId);
    return cost !== undefined && isUsable(cost) ? cost : mean;
  });
}

export function meanCost(costs: readonly WorkerCost[]): WorkerCost {
  const mean = (field: keyof WorkerCost): number =>
    costs.reduce((sum, cost) => sum + cost[field], 0) / Math.max(1, costs.length);
  return { secondsPerActiveExpert: mean('secondsPerActiveExpert'), secondsPerToken: mean('secondsPerToken') };
}

function isUsable({ secondsPerActiveExpert: perExpert, secondsPerToken: perToken }: WorkerCost): boolean {
  return perExpert >= 0 && perToken >= 0 && perExpert + perToken > 0 && Number.isFinite(perExpert + perToken);
}
