import { MAX_RECENT_COST, MESSAGE_COST, RECENT_SHARE, ROW_COST } from '@expertmesh/shared/placement/replica-choice';
import { type LayerCall } from './expert-dispatcher.js';
import { meanCost, type WorkerCost } from './worker-cost.js';

/** Of some pairs of a layer call, what decides who computes each. */
export interface RoutingTask {
  readonly call: LayerCall;
  readonly numExperts: number;
  /** Positions in the call's expertIds, ascending. */
  readonly pairs: ArrayLike<number>;
  /** Workers that may compute an expert, as indices into `costs`; at least one. */
  readonly replicasOf: (expertId: number) => readonly number[];
  readonly costs: readonly WorkerCost[];
  /** [workers] Decaying sum of what `pairSeconds` was in the layer's calls so far. */
  readonly recentPairSeconds: ArrayLike<number>;
}

export interface RoutedPairs {
  /** [pairs] */
  readonly workerOfPair: Int32Array;
  /**
   * [workers] The pairs of each by its speed: what they would cost if every one of them read its expert's weights for
   * itself.
   */
  readonly pairSeconds: Float64Array;
}

/**
 * Gives every pair to one of its expert's replicas. The layer takes as long as the slowest worker, so a pair goes where
 * it is finished first, counting what it costs to send the row to a worker that does not need it otherwise. An active
 * expert costs far more than one more pair of it, so that an expert stays on one replica until the others are idle
 * enough to pay for reading its weights once more.
 *
 * Greedy: pairs without a choice first, then expert by expert, those with the most pairs first.
 */
export function routePairs(task: RoutingTask): RoutedPairs {
  const { call, pairs, replicasOf } = task;
  const workerOfPair = new Int32Array(pairs.length);
  const loads = new WorkerLoads(task);
  const choices = new Map<number, number[]>();
  for (let index = 0; index < pairs.length; index++) {
    const expertId = expertOf(call, pairs[index]);
    const replicas = replicasOf(expertId);
    if (replicas.length === 1) workerOfPair[index] = loads.add(replicas[0] ?? 0, expertId, rowOf(call, pairs[index]));
    else push(choices, expertId, index);
  }
  const mostPairsFirst = [...choices].sort(([a, ofA], [b, ofB]) => ofB.length - ofA.length || a - b);
  for (const [expertId, indices] of mostPairsFirst)
    for (const index of indices) {
      const row = rowOf(call, pairs[index]);
      workerOfPair[index] = loads.add(loads.cheapest(replicasOf(expertId), expertId, row), expertId, row);
    }
  return { workerOfPair, pairSeconds: loads.pairSeconds };
}

const expertOf = ({ expertIds }: LayerCall, pair = 0): number => expertIds[pair] ?? 0;
const rowOf = ({ topK }: LayerCall, pair = 0): number => Math.floor(pair / topK);

function push(lists: Map<number, number[]>, key: number, value: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** What the pairs that have been given away so far cost their workers. */
class WorkerLoads {
  readonly pairSeconds: Float64Array;
  readonly #seconds: Float64Array;
  readonly #numWorkers: number;
  readonly #perExpert: Float64Array;
  readonly #perPair: Float64Array;
  /** Seconds for what happened before this call. */
  readonly #recentCost: Float64Array;
  readonly #messageCost: number;
  readonly #rowCost: number;
  readonly #hasMessage: Uint8Array;
  /** [rows, workers] */
  readonly #isNeeded: Uint8Array;
  /** [experts, workers] */
  readonly #isActive: Uint8Array;

  constructor({ call, numExperts, costs, recentPairSeconds }: RoutingTask) {
    const numWorkers = costs.length;
    const { secondsPerActiveExpert, secondsPerToken } = meanCost(costs);
    const expertCost = secondsPerActiveExpert + secondsPerToken;
    const least = Math.min(...Array.from(recentPairSeconds));
    this.pairSeconds = new Float64Array(numWorkers);
    this.#seconds = new Float64Array(numWorkers);
    this.#numWorkers = numWorkers;
    this.#perExpert = Float64Array.from(costs, (cost) => cost.secondsPerActiveExpert);
    this.#perPair = Float64Array.from(costs, (cost) => cost.secondsPerToken);
    this.#recentCost = Float64Array.from(recentPairSeconds, (recent) =>
      Math.min(RECENT_SHARE * (recent - least), MAX_RECENT_COST * expertCost),
    );
    this.#messageCost = MESSAGE_COST * expertCost;
    this.#rowCost = ROW_COST * expertCost;
    this.#hasMessage = new Uint8Array(numWorkers);
    this.#isNeeded = new Uint8Array(call.numRows * numWorkers);
    this.#isActive = new Uint8Array(numExperts * numWorkers);
  }

  /** Returns the worker. */
  add(worker: number, expertId: number, row: number): number {
    const alone = (this.#perExpert[worker] ?? 0) + (this.#perPair[worker] ?? 0);
    this.pairSeconds[worker] = (this.pairSeconds[worker] ?? 0) + alone;
    this.#seconds[worker] = (this.#seconds[worker] ?? 0) + this.#marginalSeconds(worker, expertId);
    this.#isActive[expertId * this.#numWorkers + worker] = 1;
    this.#isNeeded[row * this.#numWorkers + worker] = 1;
    this.#hasMessage[worker] = 1;
    return worker;
  }

  /** Of equals, the first. */
  cheapest(replicas: readonly number[], expertId: number, row: number): number {
    let best = replicas[0] ?? 0;
    let bestCost = Infinity;
    for (const worker of replicas) {
      const finished = (this.#seconds[worker] ?? 0) + this.#marginalSeconds(worker, expertId);
      const cost = finished + this.#sendingCost(worker, row) + (this.#recentCost[worker] ?? 0);
      if (cost >= bestCost) continue;
      best = worker;
      bestCost = cost;
    }
    return best;
  }

  #marginalSeconds(worker: number, expertId: number): number {
    const isActive = this.#isActive[expertId * this.#numWorkers + worker] === 1;
    return (isActive ? 0 : (this.#perExpert[worker] ?? 0)) + (this.#perPair[worker] ?? 0);
  }

  #sendingCost(worker: number, row: number): number {
    if (this.#isNeeded[row * this.#numWorkers + worker] === 1) return 0;
    return this.#hasMessage[worker] === 1 ? this.#rowCost : this.#messageCost;
  }
}
