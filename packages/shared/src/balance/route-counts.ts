import { numExpertPairs, triangleStarts, type RoutingShape } from './routing-shape.js';

/** What was counted of some steps. Layers are positions in the shape's list. */
export interface Counts {
  /** Rows that were routed: tokens times forward passes. */
  readonly numRows: number;
  /** Passes of a batch through the model; with micro-batches a step of the engine is several. */
  readonly numSteps: number;
  /** [layers, numExperts] rows routed to each expert. */
  readonly tokens: ArrayLike<number>;
  /** [layers, numExperts] passes in which the expert had a row. */
  readonly activeSteps: ArrayLike<number>;
  /** [layers, numExperts] router probabilities over all experts, summed over rows; zeros where they are not known. */
  readonly probabilitySums: ArrayLike<number>;
  /** [layers, pairs of experts] rows that were routed to both, as upper triangles; of large passes an estimate. */
  readonly coactivations: ArrayLike<number>;
}

/** What one worker was sent, [layers] each. */
export interface WorkerCounts {
  /** (row, expert) pairs that it was to compute. */
  readonly tokens: Float64Array;
  /** Rows that were sent to it, each once however many of its experts it needs. */
  readonly rows: Float64Array;
}

export type WorkerCountsById = ReadonlyMap<string, WorkerCounts>;

/** Counts in one buffer, so that a thread can hand them to another without a copy. */
export class RouteCounts implements Counts {
  readonly buffer: ArrayBuffer;
  readonly tokens: Uint32Array;
  readonly activeSteps: Uint32Array;
  readonly probabilitySums: Float64Array;
  readonly coactivations: Uint32Array;
  /** [rows, steps] */
  readonly #totals: Float64Array;

  /** @param buffer one that came from RouteCounts of the same shape */
  constructor(shape: RoutingShape, buffer?: ArrayBuffer) {
    const numEntries = shape.layerIndices.length * shape.numExperts;
    const numPairs = shape.layerIndices.length * numExpertPairs(shape.numExperts);
    this.buffer = buffer ?? new ArrayBuffer(8 * (2 + numEntries) + 4 * (2 * numEntries + numPairs));
    this.#totals = new Float64Array(this.buffer, 0, 2);
    this.probabilitySums = new Float64Array(this.buffer, 16, numEntries);
    const tokensStart = 16 + 8 * numEntries;
    this.tokens = new Uint32Array(this.buffer, tokensStart, numEntries);
    this.activeSteps = new Uint32Array(this.buffer, tokensStart + 4 * numEntries, numEntries);
    this.coactivations = new Uint32Array(this.buffer, tokensStart + 8 * numEntries, numPairs);
  }

  get numRows(): number {
    return this.#totals[0] ?? 0;
  }

  get numSteps(): number {
    return this.#totals[1] ?? 0;
  }

  addSteps(numSteps: number, numRows: number): void {
    this.#totals[0] = this.numRows + numRows;
    this.#totals[1] = this.numSteps + numSteps;
  }

  clear(): void {
    new Uint8Array(this.buffer).fill(0);
  }
}

/**
 * In passes of more rows, co-activations are counted of about so many, evenly spread, each for its share: they are four
 * fifths of the work.
 */
const SAMPLED_ROWS = 32;

type RoutedIds = Int32Array | Uint8Array | Uint16Array;

/** Counts a layer's routing. A value of its own because it needs memory that the counts do not. */
export class RouteTally {
  readonly #shape: RoutingShape;
  readonly #starts: Int32Array;
  readonly #seen: Uint8Array;
  readonly #numPairs: number;

  constructor(shape: RoutingShape) {
    this.#shape = shape;
    this.#starts = triangleStarts(shape.numExperts);
    this.#numPairs = numExpertPairs(shape.numExperts);
    this.#seen = new Uint8Array(shape.numExperts);
  }

  /** @param expertIds [rows, top-k], distinct within a row, of one pass through the layer */
  add(counts: RouteCounts, layer: number, expertIds: RoutedIds): void {
    this.#addTokens(counts, layer, expertIds);
    this.#addCoactivations(counts, layer, expertIds);
  }

  #addTokens({ tokens, activeSteps }: RouteCounts, layer: number, expertIds: RoutedIds): void {
    const seen = this.#seen.fill(0);
    const firstExpert = layer * this.#shape.numExperts;
    const numIds = expertIds.length;
    for (let pair = 0; pair < numIds; pair++) {
      const expertId = expertIds[pair] ?? 0;
      const entry = firstExpert + expertId;
      tokens[entry] = (tokens[entry] ?? 0) + 1;
      if (seen[expertId] === 1) continue;
      seen[expertId] = 1;
      activeSteps[entry] = (activeSteps[entry] ?? 0) + 1;
    }
  }

  #addCoactivations({ coactivations }: RouteCounts, layer: number, expertIds: RoutedIds): void {
    const { topK } = this.#shape;
    const starts = this.#starts;
    const firstPair = layer * this.#numPairs;
    const numRows = expertIds.length / topK;
    const stride = Math.ceil(numRows / SAMPLED_ROWS);
    for (let row = 0; row < numRows; row += stride) {
      const numCounted = Math.min(stride, numRows - row);
      const end = (row + 1) * topK;
      for (let first = row * topK; first < end; first++) {
        const firstId = expertIds[first] ?? 0;
        for (let second = first + 1; second < end; second++) {
          const secondId = expertIds[second] ?? 0;
          // Only a router whose logits are not numbers chooses an expert twice; those rows fail at dispatch.
          if (firstId === secondId) continue;
          // Which of the two is less is as good as random: a branch would be mispredicted half of the time.
          const entry = firstPair + (starts[Math.min(firstId, secondId)] ?? 0) + Math.max(firstId, secondId);
          coactivations[entry] = (coactivations[entry] ?? 0) + numCounted;
        }
      }
    }
  }
}
