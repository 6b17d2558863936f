import { type LayerProblem, type LayerReplicas, type PlanningProblem } from './planning-problem.js';
import { domainsOf } from './slot-totals.js';
import { replicaSeconds, workerLoad, workerReach } from './step-cost.js';

/** One replica that goes from a worker to another; without the one it appears, without the other it is dropped. */
export interface ReplicaStep {
  readonly expertId: number;
  readonly from?: number;
  readonly to?: number;
}

/** What a layer's placement is judged by: first that nothing is over the limit, then time. */
export interface LayerScore {
  /** Routed tokens per step of the busiest worker beyond the limit; 0 where there is no limit, or moving costs. */
  readonly excessTokens: number;
  /**
   * Predicted seconds of the layer, and, where moving costs, the share of it that one step bears and the price of being
   * over the limit.
   */
  readonly seconds: number;
  /** Sum of squares of the workers' seconds, which tells equals in time apart. */
  readonly squares: number;
}

/**
 * Where moving costs, a routed token beyond the limit is priced instead of forbidden, at so many times what it takes to
 * compute one: enough that neither the wire nor experts that few steps read pay for an uneven layer, and that moves
 * which cost more than they bring are left out.
 */
const EXCESS_PRICE = 20;

/** Differences smaller than this fraction are rounding. */
const EPSILON = 1e-12;

export function isBetter(score: LayerScore, than: LayerScore, breakTies = false): boolean {
  const atLeast = score.excessTokens - than.excessTokens;
  if (atLeast !== 0) return atLeast < 0;
  const gain = than.seconds - score.seconds;
  if (Math.abs(gain) > EPSILON * than.seconds) return gain > 0;
  return breakTies && score.squares < than.squares * (1 - EPSILON);
}

/** The placement of one layer while it is being improved, with what every worker has to do kept up to date. */
export class LayerState {
  readonly problem: PlanningProblem;
  readonly layer: LayerProblem;
  readonly maxTokens: number;
  readonly #holders: number[][];
  readonly #members: number[][];
  readonly #seconds: Float64Array;
  readonly #tokens: Float64Array;
  readonly #reach: Float64Array;
  readonly #speedSums: Float64Array;
  /** Scratch of peakSecondsAfter: zeros between calls. */
  readonly #deltas: Float64Array;
  #score: LayerScore;

  /** @param maxTokens limit to the routed tokens per step of the busiest worker; of equal workers alone */
  constructor(problem: PlanningProblem, layer: LayerProblem, replicas: LayerReplicas, maxTokens: number) {
    this.problem = problem;
    this.layer = layer;
    this.maxTokens = maxTokens;
    this.#holders = replicas.map((holders) => [...holders]);
    this.#members = problem.workers.map(() => []);
    for (const [expertId, holders] of replicas.entries()) for (const w of holders) this.#members[w]?.push(expertId);
    this.#seconds = new Float64Array(problem.numWorkers);
    this.#tokens = new Float64Array(problem.numWorkers);
    this.#reach = new Float64Array(problem.numWorkers);
    this.#deltas = new Float64Array(problem.numWorkers);
    this.#speedSums = Float64Array.from(this.#holders, (holders) => this.#speedSum(holders));
    for (let w = 0; w < problem.numWorkers; w++) this.#recompute(w);
    this.#score = this.#computeScore();
  }

  get score(): LayerScore {
    return this.#score;
  }

  get replicas(): LayerReplicas {
    return this.#holders.map((holders) => holders.toSorted((v, w) => v - w));
  }

  get busiestTokens(): number {
    return largestOf(this.#tokens);
  }

  /** Expected seconds per step of a worker. */
  secondsOf(w: number): number {
    return this.#seconds[w] ?? 0;
  }

  /** The worker that the others wait for. */
  get slowest(): number {
    return this.#seconds.indexOf(largestOf(this.#seconds));
  }

  membersOf(w: number): readonly number[] {
    return this.#members[w] ?? [];
  }

  holdersOf(expertId: number): readonly number[] {
    return this.#holders[expertId] ?? [];
  }

  /** Whether all constraints but memory hold after these steps, given that they do now. */
  allows(steps: readonly ReplicaStep[]): boolean {
    const { workers } = this.problem;
    return steps.every(({ expertId, from, to }) => {
      const holders = this.holdersOf(expertId);
      if (from !== undefined && (workers[from]?.acceptsReplicas !== true || !holders.includes(from))) return false;
      if (to !== undefined && (workers[to]?.acceptsReplicas !== true || holders.includes(to))) return false;
      return from === undefined || this.#staysCovered(holders, from, to);
    });
  }

  /**
   * The largest expected seconds, after these steps, of the workers that they concern. Each step is of another expert.
   */
  peakSecondsAfter(steps: readonly ReplicaStep[]): number {
    const touched: number[] = [];
    for (const { expertId, from, to } of steps) {
      const holders = this.holdersOf(expertId);
      const sum = this.#speedSums[expertId] ?? 0;
      const sumAfter = sum - this.#speed(from) + this.#speed(to);
      const numAfter = holders.length - (from === undefined ? 0 : 1) + (to === undefined ? 0 : 1);
      for (const w of holders) {
        const after = w === from ? 0 : this.#replicaSeconds(expertId, w, sumAfter, numAfter);
        this.#addDelta(touched, w, after - this.#replicaSeconds(expertId, w, sum, holders.length));
      }
      if (to !== undefined) this.#addDelta(touched, to, this.#replicaSeconds(expertId, to, sumAfter, numAfter));
    }
    let peak = 0;
    for (const w of touched) peak = Math.max(peak, this.secondsOf(w) + (this.#deltas[w] ?? 0));
    for (const w of touched) this.#deltas[w] = 0;
    return peak;
  }

  /** What the replicas that these steps load anew cost a step, less those that they give up again. */
  moveSecondsOf(steps: readonly ReplicaStep[]): number {
    if (this.problem.moveSecondsPerByte === 0) return 0;
    let numLoads = 0;
    for (const { expertId, from, to } of steps) {
      if (to !== undefined && !this.#wasHeld(expertId, to)) numLoads += 1;
      if (from !== undefined && !this.#wasHeld(expertId, from)) numLoads -= 1;
    }
    return this.#moveSeconds(numLoads);
  }

  /** Takes the steps if that makes the score better. They must be allowed. */
  tryImprove(steps: readonly ReplicaStep[], breakTies = false): boolean {
    const before = this.#score;
    const affected = this.#affectedBy(steps);
    const saved = affected.map((w) => [this.#seconds[w] ?? 0, this.#tokens[w] ?? 0, this.#reach[w] ?? 0] as const);
    for (const { expertId, from, to } of steps) this.#move(expertId, from, to);
    for (const w of affected) this.#recompute(w);
    this.#score = this.#computeScore();
    if (isBetter(this.#score, before, breakTies)) return true;

    for (const { expertId, from, to } of steps) this.#move(expertId, to, from);
    for (const [i, w] of affected.entries()) {
      const [seconds = 0, tokens = 0, reach = 0] = saved[i] ?? [];
      this.#seconds[w] = seconds;
      this.#tokens[w] = tokens;
      this.#reach[w] = reach;
    }
    this.#score = before;
    return false;
  }

  #staysCovered(holders: readonly number[], from: number, to: number | undefined): boolean {
    const { problem } = this;
    const after = holders.filter((w) => w !== from);
    if (to !== undefined) after.push(to);
    if (problem.minDomains === 1) return after.length > 0;
    const needed = Math.min(problem.minDomains, domainsOf(problem, holders).size);
    return domainsOf(problem, after).size >= needed;
  }

  // Who holds one of the experts shares its tokens, and so has another load when a replica moves.
  #affectedBy(steps: readonly ReplicaStep[]): number[] {
    const affected: number[] = [];
    const add = (w: number | undefined): void => {
      if (w !== undefined && !affected.includes(w)) affected.push(w);
    };
    for (const { expertId, from, to } of steps) {
      add(from);
      add(to);
      for (const w of this.holdersOf(expertId)) add(w);
    }
    return affected;
  }

  #move(expertId: number, from: number | undefined, to: number | undefined): void {
    const holders = this.#holders[expertId] ?? [];
    if (from !== undefined) {
      remove(holders, from);
      remove(this.#members[from] ?? [], expertId);
    }
    if (to !== undefined) {
      holders.push(to);
      this.#members[to]?.push(expertId);
    }
    this.#speedSums[expertId] = this.#speedSum(holders);
  }

  #recompute(w: number): void {
    const { problem, layer } = this;
    const worker = problem.workers[w];
    if (worker === undefined) return;
    const expertIds = this.#members[w] ?? [];
    const shares = expertIds.map((expertId) => worker.speed / (this.#speedSums[expertId] ?? 1));
    const { seconds, tokens } = workerLoad(layer.demand, worker, { expertIds, shares });
    this.#seconds[w] = seconds;
    this.#tokens[w] = tokens;
    if (problem.secondsPerRow > 0) this.#reach[w] = workerReach(layer.demand, { expertIds, shares });
  }

  #computeScore(): LayerScore {
    const { problem, layer } = this;
    let [slowest, squares, sends] = [0, 0, 0];
    for (let w = 0; w < problem.numWorkers; w++) {
      const seconds = this.#seconds[w] ?? 0;
      slowest = Math.max(slowest, seconds);
      squares += seconds * seconds;
      sends += this.#reach[w] ?? 0;
    }
    const wire = problem.secondsPerRow * layer.demand.rowsPerStep * sends;
    const beyond = this.busiestTokens - this.maxTokens;
    const excess = beyond > EPSILON * this.maxTokens ? beyond : 0;
    if (problem.moveSecondsPerByte === 0) return { excessTokens: excess, seconds: slowest + wire, squares };
    const moving = this.#moveSeconds(this.#countLoads());
    const uneven = excess > 0 ? (EXCESS_PRICE * excess) / (problem.workers[0]?.speed ?? 1) : 0;
    return { excessTokens: 0, seconds: slowest + wire + moving + uneven, squares };
  }

  #countLoads(): number {
    let numLoads = 0;
    for (const [expertId, holders] of this.#holders.entries())
      for (const w of holders) if (!this.#wasHeld(expertId, w)) numLoads += 1;
    return numLoads;
  }

  #wasHeld(expertId: number, w: number): boolean {
    return this.layer.previous[expertId]?.includes(w) === true;
  }

  #moveSeconds(numLoads: number): number {
    return this.problem.moveSecondsPerByte * this.problem.expertSizeBytes * numLoads;
  }

  #addDelta(touched: number[], w: number, seconds: number): void {
    touched.push(w);
    this.#deltas[w] = (this.#deltas[w] ?? 0) + seconds;
  }

  #replicaSeconds(expertId: number, w: number, speedSum: number, numHolders: number): number {
    const worker = this.problem.workers[w];
    if (worker === undefined) return 0;
    return replicaSeconds(this.layer.demand, worker, expertId, numHolders === 1 ? 1 : worker.speed / speedSum);
  }

  #speed(w: number | undefined): number {
    return w === undefined ? 0 : (this.problem.workers[w]?.speed ?? 0);
  }

  #speedSum(holders: readonly number[]): number {
    let total = 0;
    for (const w of holders) total += this.problem.workers[w]?.speed ?? 0;
    return total;
  }
}

function largestOf(values: Float64Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, value);
  return largest;
}

function remove(list: number[], item: number): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
