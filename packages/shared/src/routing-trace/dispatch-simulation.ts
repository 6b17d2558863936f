import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type PlanWorker } from '../placement/plan-cluster.js';
import { type Placement } from '../placement/placement.js';
import { KEPT_PER_CALL, MAX_RECENT_COST, MESSAGE_COST, RECENT_SHARE, ROW_COST } from '../placement/replica-choice.js';
import { type ExpertIds } from './trace-step.js';

/** What each worker of the placement is given by one pass through a layer, [workers] each. */
export interface SimulatedDispatch {
  /** (row, expert) pairs. */
  readonly tokens: Uint32Array;
  /** Rows, each once however many of its experts the worker computes. */
  readonly rows: Uint32Array;
  /** Experts with at least one row. */
  readonly activeExperts: Uint32Array;
}

export type WorkerCost = Pick<PlanWorker, 'secondsPerActiveExpert' | 'secondsPerToken'>;

/**
 * Chooses replicas as a coordinator does (a test holds it against that), with all workers there. A replay makes tens of
 * millions of choices, so it counts where dispatch makes lists.
 */
export class DispatchSimulation {
  readonly #topK: number;
  readonly #costs: readonly WorkerCost[];
  readonly #layers: readonly LayerHolders[];
  /** Of one more expert on a worker, on average. */
  readonly #expertCost: number;
  readonly #seconds: Float64Array;
  readonly #result: SimulatedDispatch;
  /** [experts] the first pair of each expert that has a choice; -1 where there is none. */
  readonly #firstPair: Int32Array;
  readonly #numPairs: Int32Array;
  /** [pairs] the next pair of the same expert. */
  #nextPair = new Int32Array(0);
  /** [rows, workers] */
  #isNeeded = new Uint8Array(0);
  #passId = 0;

  /**
   * @param costs of the placement's workers, in their order
   * @throws ExpertmeshError `invalid_argument` where the placement lacks an expert of these layers.
   */
  constructor(placement: Placement, costs: readonly WorkerCost[], layerIndices: readonly number[], topK: number) {
    const numWorkers = costs.length;
    this.#topK = topK;
    this.#costs = costs;
    this.#layers = layerIndices.map((layerIndex) => holdersOf(placement, layerIndex));
    this.#expertCost =
      costs.reduce((sum, cost) => sum + cost.secondsPerActiveExpert + cost.secondsPerToken, 0) / numWorkers;
    this.#seconds = new Float64Array(numWorkers);
    this.#firstPair = new Int32Array(placement.numExperts).fill(-1);
    this.#numPairs = new Int32Array(placement.numExperts);
    this.#result = {
      tokens: new Uint32Array(numWorkers),
      rows: new Uint32Array(numWorkers),
      activeExperts: new Uint32Array(numWorkers),
    };
  }

  /**
   * @param layer a position in the layers that it was made for
   * @param expertIds [rows, top-k]
   * @returns arrays that hold until the next pass
   */
  pass(layer: number, expertIds: ExpertIds): SimulatedDispatch {
    const holders = this.#layers[layer];
    if (holders === undefined) throw new ExpertmeshError('internal', `there is no layer at ${String(layer)}`);
    this.#begin(expertIds.length);
    const { starts, workers } = holders;
    const chosen: number[] = [];
    // Backwards, so that the lists of pairs are ascending.
    for (let pair = expertIds.length - 1; pair >= 0; pair--) {
      const expertId = expertIds[pair] ?? 0;
      const start = starts[expertId] ?? 0;
      if ((starts[expertId + 1] ?? 0) - start === 1) this.#assign(holders, start, workers[start] ?? 0, pair);
      else {
        const first = this.#firstPair[expertId] ?? -1;
        if (first < 0) chosen.push(expertId);
        this.#nextPair[pair] = first;
        this.#firstPair[expertId] = pair;
        this.#numPairs[expertId] = (this.#numPairs[expertId] ?? 0) + 1;
      }
    }
    if (chosen.length > 0) this.#choose(holders, chosen);
    if (holders.hasChoices)
      for (let w = 0; w < this.#seconds.length; w++)
        holders.recentSeconds[w] = KEPT_PER_CALL * (holders.recentSeconds[w] ?? 0) + this.#pairSeconds(w);
    return this.#result;
  }

  #begin(numPairs: number): void {
    const { tokens, rows, activeExperts } = this.#result;
    for (const counts of [tokens, rows, activeExperts, this.#seconds]) counts.fill(0);
    this.#passId += 1;
    const numNeeded = (numPairs / this.#topK) * this.#seconds.length;
    if (this.#isNeeded.length < numNeeded) this.#isNeeded = new Uint8Array(2 * numNeeded);
    else this.#isNeeded.fill(0, 0, numNeeded);
    if (this.#nextPair.length < numPairs) this.#nextPair = new Int32Array(2 * numPairs);
  }

  #choose(holders: LayerHolders, expertIds: number[]): void {
    const numPairs = this.#numPairs;
    expertIds.sort((a, b) => (numPairs[b] ?? 0) - (numPairs[a] ?? 0) || a - b);
    const leastRecent = Math.min(...holders.recentSeconds);
    for (const expertId of expertIds) {
      for (let pair = this.#firstPair[expertId] ?? -1; pair >= 0; pair = this.#nextPair[pair] ?? -1) {
        const slot = this.#cheapest(holders, expertId, pair, leastRecent);
        this.#assign(holders, slot, holders.workers[slot] ?? 0, pair);
      }
      this.#firstPair[expertId] = -1;
      numPairs[expertId] = 0;
    }
  }

  #cheapest(
    { starts, workers, lastPass, recentSeconds }: LayerHolders,
    expertId: number,
    pair: number,
    leastRecent: number,
  ): number {
    const { rows } = this.#result;
    const needed = Math.floor(pair / this.#topK) * this.#seconds.length;
    const expertCost = this.#expertCost;
    let best = starts[expertId] ?? 0;
    let bestCost = Infinity;
    for (let slot = best; slot < (starts[expertId + 1] ?? 0); slot++) {
      const w = workers[slot] ?? 0;
      const sending = this.#isNeeded[needed + w] === 1 ? 0 : (rows[w] ?? 0) > 0 ? ROW_COST : MESSAGE_COST;
      const recent = Math.min(RECENT_SHARE * ((recentSeconds[w] ?? 0) - leastRecent), MAX_RECENT_COST * expertCost);
      const isActive = lastPass[slot] === this.#passId;
      const cost = (this.#seconds[w] ?? 0) + this.#marginalSeconds(w, isActive) + sending * expertCost + recent;
      if (cost >= bestCost) continue;
      best = slot;
      bestCost = cost;
    }
    return best;
  }

  #assign({ lastPass }: LayerHolders, slot: number, w: number, pair: number): void {
    const { tokens, rows, activeExperts } = this.#result;
    const isActive = lastPass[slot] === this.#passId;
    const needed = Math.floor(pair / this.#topK) * this.#seconds.length + w;
    tokens[w] = (tokens[w] ?? 0) + 1;
    this.#seconds[w] = (this.#seconds[w] ?? 0) + this.#marginalSeconds(w, isActive);
    if (this.#isNeeded[needed] === 0) {
      this.#isNeeded[needed] = 1;
      rows[w] = (rows[w] ?? 0) + 1;
    }
    if (isActive) return;
    lastPass[slot] = this.#passId;
    activeExperts[w] = (activeExperts[w] ?? 0) + 1;
  }

  /** What the worker's pairs would cost if each were alone. */
  #pairSeconds(w: number): number {
    return (this.#result.tokens[w] ?? 0) * this.#marginalSeconds(w, false);
  }

  #marginalSeconds(w: number, isActive: boolean): number {
    const cost = this.#costs[w];
    return (isActive ? 0 : (cost?.secondsPerActiveExpert ?? 0)) + (cost?.secondsPerToken ?? 0);
  }
}

/** Expert e is held by `workers[starts[e] .. starts[e + 1] - 1]`. */
interface LayerHolders {
  readonly starts: Int32Array;
  readonly workers: Int32Array;
  readonly hasChoices: boolean;
  /** The pass in which each replica had a row last. */
  readonly lastPass: Float64Array;
  /** [workers] What the layer's pairs were worth that they had lately. */
  readonly recentSeconds: Float64Array;
}

function holdersOf({ version, numExperts, workerIds, replicas }: Placement, layerIndex: number): LayerHolders {
  const holders = replicas.get(layerIndex) ?? [];
  const starts = new Int32Array(numExperts + 1);
  for (let expertId = 0; expertId < numExperts; expertId++) {
    const numReplicas = holders[expertId]?.length ?? 0;
    if (numReplicas === 0)
      throw new ExpertmeshError(
        'invalid_argument',
        `placement ${String(version)} has no worker for expert ${String(expertId)} of layer ` +
          `${String(layerIndex)}: is it of another model than the trace?`,
      );
    starts[expertId + 1] = (starts[expertId] ?? 0) + numReplicas;
  }
  const workers = Int32Array.from(holders.flat());
  return {
    starts,
    workers,
    hasChoices: workers.length > numExperts,
    lastPass: new Float64Array(workers.length),
    recentSeconds: new Float64Array(workerIds.length),
  };
}
