/** One run of a layer: experts with at least one pair, (token, expert) pairs, and how long they took. */
export interface MeasuredRun {
  readonly activeExperts: number;
  readonly numPairs: number;
  readonly seconds: number;
}

/** What a run costs for each expert whose weights it reads, and for each pair that it computes. */
export interface RunCost {
  readonly secondsPerActiveExpert: number;
  readonly secondsPerToken: number;
}

/** Sums over runs, each divided by its own time so that short runs count as much as long ones; e: experts, p: pairs. */
interface Sums {
  readonly ee: number;
  readonly ep: number;
  readonly pp: number;
  readonly e: number;
  readonly p: number;
}

/**
 * Runs seen so far, by how many pairs an expert had: decoding reads an expert for a pair or two, a long prompt for
 * dozens. Only runs of the same class make a run forgotten, so that an hour of decoding does not erase what the last
 * prompt has shown.
 */
export interface RunCostHistory {
  readonly numRuns: number;
  readonly sumsByClass: readonly (Sums | undefined)[];
}

export const NO_RUNS: RunCostHistory = { numRuns: 0, sumsByClass: [] };

/** Before so many runs, nothing is said. */
const MIN_RUNS = 32;
/** A run counts half after this many more of its class. */
const HALF_LIFE_RUNS = 500;
const KEPT = 0.5 ** (1 / HALF_LIFE_RUNS);
/** Pairs an expert in powers of 2; the last class has all above. */
const MAX_CLASS = 8;
/** Below this share of the product, experts and pairs rose and fell together: nothing tells their costs apart. */
const MIN_DETERMINANT = 1e-3;

export function withRun(history: RunCostHistory, { activeExperts, numPairs, seconds }: MeasuredRun): RunCostHistory {
  if (!(activeExperts > 0 && seconds > 0)) return history;
  const e = activeExperts / seconds;
  const p = numPairs / seconds;
  const sumsByClass = history.sumsByClass.slice();
  const index = Math.min(MAX_CLASS, Math.round(Math.log2(numPairs / activeExperts)));
  sumsByClass[index] = added(scaled(sumsByClass[index] ?? NOTHING, KEPT), { ee: e * e, ep: e * p, pp: p * p, e, p });
  return { numRuns: history.numRuns + 1, sumsByClass };
}

/**
 * Least squares of seconds = a x active experts + b x pairs in relative error, neither below 0. Undefined before there
 * were enough runs. While every run had as many pairs as experts, all of the time counts as the experts'.
 */
export function fitRunCost({ numRuns, sumsByClass }: RunCostHistory): RunCost | undefined {
  if (numRuns < MIN_RUNS) return undefined;
  const { ee, ep, pp, e, p } = sumsByClass.reduce<Sums>((total, sums) => added(total, sums ?? NOTHING), NOTHING);
  const expertsOnly = { secondsPerActiveExpert: e / ee, secondsPerToken: 0 };
  const determinant = ee * pp - ep * ep;
  if (determinant < MIN_DETERMINANT * ee * pp) return expertsOnly;
  const secondsPerActiveExpert = (e * pp - p * ep) / determinant;
  const secondsPerToken = (p * ee - e * ep) / determinant;
  if (secondsPerToken < 0) return expertsOnly;
  if (secondsPerActiveExpert < 0) return { secondsPerActiveExpert: 0, secondsPerToken: p / pp };
  return { secondsPerActiveExpert, secondsPerToken };
}

const NOTHING: Sums = { ee: 0, ep: 0, pp: 0, e: 0, p: 0 };

const added = (a: Sums, b: Sums): Sums => ({
  ee: a.ee + b.ee,
  ep: a.ep + b.ep,
  pp: a.pp + b.pp,
  e: a.e + b.e,
  p: a.p + b.p,
});

const scaled = ({ ee, ep, pp, e, p }: Sums, factor: number): Sums => ({
  ee: ee * factor,
  ep: ep * factor,
  pp: pp * factor,
  e: e * factor,
  p: p * factor,
});
