import { layerNeed, slotTotals } from './slot-totals.js';
import { type PlanningProblem } from './planning-problem.js';

/** How many new replicas each worker takes in each layer, and what its memory has left beyond that. */
export interface SlotQuotas {
  /** [layers][workers] */
  readonly rows: readonly (readonly number[])[];
  /** [workers] slots of all layers together that no row counts on. */
  readonly spare: readonly number[];
}

/**
 * Shares out memory slots by weight, within memory budgets, so that every layer can be covered: rows add up to what the
 * layer needs, columns stay within the worker's slots, and no failure domain is counted on for more than one replica of
 * an expert. Where no worker is cordoned, this finds quotas whenever there are any.
 *
 * @param weights [workers] slots in proportion to these, as far as memory allows
 * @throws ExpertmeshError `failed_precondition` for too few failure domains or accepting workers, `resource_exhausted`
 * for too little memory.
 */
export function slotQuotas(problem: PlanningProblem, weights: readonly number[]): SlotQuotas {
  const totals = slotTotals(problem, weights);
  const domains = Array.from({ length: problem.numDomains }, (_, domain) =>
    problem.workers.flatMap((worker, w) => (worker.domain === domain && worker.acceptsReplicas ? [w] : [])),
  );
  // What a domain has beyond one replica of every expert covers nothing.
  const limit = problem.numExperts * problem.layers.length;
  const domainTotals = domains.map((members) => sum(members.map((w) => totals[w] ?? 0)));
  const cover = domainTotals.map((total) => Math.min(total, limit));
  const excess = domainTotals.map((total) => Math.max(0, total - limit));
  const left = [...totals];

  const rows = problem.layers.map((layer, position) => {
    const numRows = problem.layers.length - position;
    const need = layerNeed(problem, layer);
    const [coverRow = 0, excessRow = 0] = apportion([sum(cover), sum(excess)], numRows, need.cover + need.extra);
    const coverOf = apportion(cover, numRows, coverRow);
    const excessOf = apportion(excess, numRows, excessRow);
    const row = totals.map(() => 0);
    for (const [domain, members] of domains.entries()) {
      const total = (coverOf[domain] ?? 0) + (excessOf[domain] ?? 0);
      const quotas = apportion(
        members.map((w) => left[w] ?? 0),
        numRows,
        total,
        problem.numExperts,
      );
      for (const [i, w] of members.entries()) row[w] = quotas[i] ?? 0;
    }
    subtract(cover, coverOf);
    subtract(excess, excessOf);
    subtract(left, row);
    return row;
  });
  return {
    rows,
    spare: problem.workers.map(({ numSlots, acceptsReplicas }, w) =>
      acceptsReplicas ? numSlots - (totals[w] ?? 0) : 0,
    ),
  };
}

/**
 * One row of a matrix of whole numbers: `total` shared out over columns that have `remaining` for this row and the next
 * ones, `numRows` in all. Every entry is the mean of what its column has left, rounded up or down where the totals
 * allow, so that later rows find their share.
 */
function apportion(remaining: readonly number[], numRows: number, total: number, maxEntry = Infinity): number[] {
  const fair = remaining.map((left) => left / numRows);
  const row = fair.map((share) => Math.min(Math.floor(share), maxEntry));
  for (let missing = total - sum(row); missing !== 0; missing -= Math.sign(missing)) {
    const step = Math.sign(missing);
    let best = -1;
    for (let i = 0; i < row.length; i++) {
      const entry = row[i] ?? 0;
      const isPossible = step > 0 ? entry < Math.min(remaining[i] ?? 0, maxEntry) : entry > 0;
      const gap = ((fair[i] ?? 0) - entry) * step;
      if (isPossible && (best < 0 || gap > ((fair[best] ?? 0) - (row[best] ?? 0)) * step)) best = i;
    }
    if (best < 0) break;
    row[best] = (row[best] ?? 0) + step;
  }
  return row;
}

function subtract(from: number[], what: readonly number[]): void {
  for (let i = 0; i < from.length; i++) from[i] = (from[i] ?? 0) - (what[i] ?? 0);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
