import { type LayerProblem, type LayerReplicas, type PlanningProblem } from './planning-problem.js';
import { domainsOf } from './slot-totals.js';
import { replicaSeconds } from './step-cost.js';

/** What a policy would like a layer to be, before constraints have their say. */
export interface LayerWishes {
  /** [numExperts] workers that the policy chose for each expert, the first first; may break constraints or be empty. */
  readonly workersOf: LayerReplicas;
  /** [numExperts] how many replicas each expert should have. */
  readonly counts: readonly number[];
  /** Routed tokens per step of the worker that would be busiest if there were no constraints. */
  readonly maxTokens?: number;
}

/** The slots that a layer may fill. */
export interface LayerSlots {
  /** [workers] */
  readonly quota: readonly number[];
  /**
   * [workers] taken from where the quotas do not suffice. Common to all layers: what one takes is gone for the next.
   */
  readonly spare: number[];
}

/**
 * Fulfils wishes as far as constraints allow, and decides the rest by load: each replica goes, heaviest first, to the
 * worker that is done first with it. Undefined where the slots cannot cover the layer, which those of slotQuotas always
 * can while nothing is pinned.
 */
export function buildLayer(
  problem: PlanningProblem,
  layer: LayerProblem,
  slots: LayerSlots,
  wishes: LayerWishes,
): LayerReplicas | undefined {
  const builder = new LayerBuilder(problem, layer, slots, wishes.counts);
  const heaviestFirst = builder.expertsHeaviestFirst();
  for (const [expertId, wished] of wishes.workersOf.entries())
    for (const w of wished) if (builder.needsDomainOf(expertId, w)) builder.place(expertId, w);
  if (!heaviestFirst.every((expertId) => builder.cover(expertId))) return undefined;
  for (const [expertId, wished] of wishes.workersOf.entries()) for (const w of wished) builder.place(expertId, w);
  for (const expertId of heaviestFirst) builder.replicate(expertId);
  builder.fill(heaviestFirst);
  return builder.holders.map((holders) => holders.toSorted((v, w) => v - w));
}

class LayerBuilder {
  readonly holders: number[][];
  readonly #problem: PlanningProblem;
  readonly #layer: LayerProblem;
  readonly #free: number[];
  readonly #spare: number[];
  readonly #counts: readonly number[];
  readonly #seconds: number[];
  #numMissing: number;

  constructor(problem: PlanningProblem, layer: LayerProblem, { quota, spare }: LayerSlots, counts: readonly number[]) {
    this.#problem = problem;
    this.#layer = layer;
    this.#free = [...quota];
    this.#spare = spare;
    this.#counts = counts;
    this.#seconds = quota.map(() => 0);
    this.holders = layer.pinned.map((pinned) => [...pinned]);
    this.#numMissing = layer.numReplicas - layer.pinned.reduce((total, { length }) => total + length, 0);
    for (const [expertId, pinned] of layer.pinned.entries()) for (const w of pinned) this.#addSeconds(expertId, w, 1);
  }

  expertsHeaviestFirst(): number[] {
    const { tokensPerStep } = this.#layer.demand;
    const weight = (e: number): number => (tokensPerStep[e] ?? 0) / Math.max(1, this.#counts[e] ?? 1);
    return [...this.holders.keys()].sort((d, e) => weight(e) - weight(d));
  }

  /** Whether the expert is in too few failure domains and the worker is in another one. */
  needsDomainOf(expertId: number, w: number): boolean {
    const domains = domainsOf(this.#problem, this.#holdersOf(expertId));
    return domains.size < this.#problem.minDomains && !domains.has(this.#domain(w));
  }

  /** Does nothing where the worker has it, is full, or the layer has all its replicas. */
  place(expertId: number, w: number): boolean {
    if ((this.#free[w] ?? 0) <= 0 || this.#numMissing <= 0 || this.#holdersOf(expertId).includes(w)) return false;
    this.#put(expertId, w);
    return true;
  }

  /** Puts the expert into as many failure domains as it must be in. */
  cover(expertId: number): boolean {
    while (domainsOf(this.#problem, this.#holdersOf(expertId)).size < this.#problem.minDomains)
      if (!this.#addDomain(expertId, new Set())) return false;
    return true;
  }

  /** Places what is missing of the expert's wished number of replicas, where there is a place. */
  replicate(expertId: number): void {
    while (this.#holdersOf(expertId).length < (this.#counts[expertId] ?? 1) && this.#placeAnywhere(expertId));
  }

  /** Places the replicas that found no place so far as further replicas of others. */
  fill(heaviestFirst: readonly number[]): void {
    let isPlaced = true;
    while (this.#numMissing > 0 && isPlaced) isPlaced = heaviestFirst.some((expertId) => this.#placeAnywhere(expertId));
  }

  #placeAnywhere(expertId: number): boolean {
    if (this.#numMissing <= 0) return false;
    return this.#putSoonestDone(expertId, (w) => !this.#holdersOf(expertId).includes(w));
  }

  // Kuhn's augmenting path over failure domains: where all domains that the expert could be in are full, an expert of
  // one of them moves to another domain first.
  #addDomain(expertId: number, triedDomains: Set<number>): boolean {
    const taken = domainsOf(this.#problem, this.#holdersOf(expertId));
    const isNew = (w: number): boolean => !taken.has(this.#domain(w)) && !triedDomains.has(this.#domain(w));
    if (this.#putSoonestDone(expertId, isNew)) return true;
    for (const [w, worker] of this.#problem.workers.entries()) {
      if (!isNew(w) || !worker.acceptsReplicas) continue;
      triedDomains.add(worker.domain);
      const neighbours = this.#problem.workers.flatMap(({ domain, acceptsReplicas }, v) =>
        domain === worker.domain && acceptsReplicas ? [v] : [],
      );
      for (const v of neighbours) if (this.#swapOut(expertId, v, triedDomains)) return true;
    }
    return false;
  }

  #swapOut(expertId: number, w: number, triedDomains: Set<number>): boolean {
    for (const [other, holders] of this.holders.entries()) {
      if (other === expertId || !holders.includes(w)) continue;
      this.#take(other, w);
      triedDomains.add(this.#domain(w));
      if (this.#addDomain(other, triedDomains)) {
        this.#put(expertId, w);
        return true;
      }
      this.#put(other, w);
    }
    return false;
  }

  #putSoonestDone(expertId: number, isPossible: (w: number) => boolean): boolean {
    for (const slots of [this.#free, this.#spare]) {
      const w = this.#soonestDone(expertId, (v) => (slots[v] ?? 0) > 0 && isPossible(v));
      if (w === undefined) continue;
      if (slots === this.#spare) this.#takeSpare(w);
      this.#put(expertId, w);
      return true;
    }
    return false;
  }

  #takeSpare(w: number): void {
    this.#spare[w] = (this.#spare[w] ?? 0) - 1;
    this.#free[w] = (this.#free[w] ?? 0) + 1;
  }

  #put(expertId: number, w: number): void {
    this.#holdersOf(expertId).push(w);
    this.#free[w] = (this.#free[w] ?? 0) - 1;
    this.#numMissing -= 1;
    this.#addSeconds(expertId, w, 1);
  }

  #take(expertId: number, w: number): void {
    const holders = this.#holdersOf(expertId);
    holders.splice(holders.indexOf(w), 1);
    this.#free[w] = (this.#free[w] ?? 0) + 1;
    this.#numMissing += 1;
    this.#addSeconds(expertId, w, -1);
  }

  #addSeconds(expertId: number, w: number, sign: number): void {
    this.#seconds[w] = (this.#seconds[w] ?? 0) + sign * this.#secondsOf(expertId, w);
  }

  // With an equal share for each replica, before it is known where they all are.
  #secondsOf(expertId: number, w: number): number {
    const worker = this.#problem.workers[w];
    const share = 1 / Math.max(1, this.#counts[expertId] ?? 1);
    return worker === undefined ? 0 : replicaSeconds(this.#layer.demand, worker, expertId, share);
  }

  #soonestDone(expertId: number, isPossible: (w: number) => boolean): number | undefined {
    let best: number | undefined;
    let bestSeconds = Infinity;
    for (let w = 0; w < this.#problem.numWorkers; w++) {
      if (!isPossible(w)) continue;
      const seconds = (this.#seconds[w] ?? 0) + this.#secondsOf(expertId, w);
      if (seconds < bestSeconds) [best, bestSeconds] = [w, seconds];
    }
    return best;
  }

  #domain(w: number): number {
    return this.#problem.workers[w]?.domain ?? 0;
  }

  #holdersOf(expertId: number): number[] {
    return this.holders[expertId] ?? [];
  }
}
