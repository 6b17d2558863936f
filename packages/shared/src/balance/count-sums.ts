import { type ExpertLoads, type LayerLoads } from '../placement/expert-loads.js';
import { type Counts, type WorkerCounts, type WorkerCountsById } from './route-counts.js';
import { numExpertPairs, triangleStarts, type RoutingShape } from './routing-shape.js';

/**
 * Workers that sums keep apart; what others were sent after that is not counted. Far more than a cluster has at a time.
 */
const MAX_WORKERS = 1024;

/** Counts added up, over coordinators and time. Fractions come from decay. */
export class CountSums implements Counts {
  readonly shape: RoutingShape;
  readonly tokens: Float64Array;
  readonly activeSteps: Float64Array;
  readonly probabilitySums: Float64Array;
  readonly coactivations: Float64Array;
  readonly #workers = new Map<string, WorkerCounts>();
  #numRows = 0;
  #numSteps = 0;

  constructor(shape: RoutingShape) {
    const numEntries = shape.layerIndices.length * shape.numExperts;
    this.shape = shape;
    this.tokens = new Float64Array(numEntries);
    this.activeSteps = new Float64Array(numEntries);
    this.probabilitySums = new Float64Array(numEntries);
    this.coactivations = new Float64Array(shape.layerIndices.length * numExpertPairs(shape.numExperts));
  }

  get numRows(): number {
    return this.#numRows;
  }

  get numSteps(): number {
    return this.#numSteps;
  }

  get workers(): WorkerCountsById {
    return this.#workers;
  }

  add(counts: Counts, workers: WorkerCountsById): void {
    this.addSteps(counts.numSteps, counts.numRows);
    addTo(this.tokens, counts.tokens);
    addTo(this.activeSteps, counts.activeSteps);
    addTo(this.probabilitySums, counts.probabilitySums);
    addTo(this.coactivations, counts.coactivations);
    for (const [workerId, { tokens, rows }] of workers) {
      const sums = this.worker(workerId);
      addTo(sums.tokens, tokens);
      addTo(sums.rows, rows);
    }
  }

  addSteps(numSteps: number, numRows: number): void {
    this.#numSteps += numSteps;
    this.#numRows += numRows;
  }

  /** The sums of a worker, to be added to. */
  worker(workerId: string): WorkerCounts {
    const known = this.#workers.get(workerId);
    if (known !== undefined) return known;
    const numLayers = this.shape.layerIndices.length;
    const sums = { tokens: new Float64Array(numLayers), rows: new Float64Array(numLayers) };
    if (this.#workers.size < MAX_WORKERS) this.#workers.set(workerId, sums);
    return sums;
  }

  /** Multiplies everything, so that what was counted earlier weighs less. */
  scale(factor: number): void {
    if (factor === 1) return;
    this.#numRows *= factor;
    this.#numSteps *= factor;
    for (const sums of this.#arrays()) for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) * factor;
  }

  clear(): void {
    this.#numRows = 0;
    this.#numSteps = 0;
    for (const sums of this.#arrays()) sums.fill(0);
    this.#workers.clear();
  }

  /** [numExperts] of a layer, a view. */
  ofLayer(values: Float64Array, layer: number): Float64Array {
    const { numExperts } = this.shape;
    return values.subarray(layer * numExperts, (layer + 1) * numExperts);
  }

  /** Copies, with every layer of the model; for planning. */
  toLoads(withCoactivations = true): ExpertLoads {
    const { layerIndices, numExperts, topK } = this.shape;
    const layers = layerIndices.map((layerIndex, layer): LayerLoads => ({
      layerIndex,
      tokens: this.ofLayer(this.tokens, layer).slice(),
      activeSteps: this.ofLayer(this.activeSteps, layer).slice(),
      ...(withCoactivations && { coactivations: this.symmetricCoactivations(layer) }),
    }));
    return { numExperts, topK, numSteps: Math.max(1, this.#numSteps), layers };
  }

  /** [numExperts * numExperts] with zeros on the diagonal, a copy. */
  symmetricCoactivations(layer: number): Float64Array {
    const { numExperts } = this.shape;
    const starts = triangleStarts(numExperts);
    const firstPair = layer * numExpertPairs(numExperts);
    const square = new Float64Array(numExperts * numExperts);
    for (let first = 0; first < numExperts; first++)
      for (let second = first + 1; second < numExperts; second++) {
        const count = this.coactivations[firstPair + (starts[first] ?? 0) + second] ?? 0;
        square[first * numExperts + second] = count;
        square[second * numExperts + first] = count;
      }
    return square;
  }

  #arrays(): Float64Array[] {
    const ofWorkers = [...this.#workers.values()].flatMap(({ tokens, rows }) => [tokens, rows]);
    return [this.tokens, this.activeSteps, this.probabilitySums, this.coactivations, ...ofWorkers];
  }
}

function addTo(sums: Float64Array, counts: ArrayLike<number>): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) + (counts[i] ?? 0);
}
