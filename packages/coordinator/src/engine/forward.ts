import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { moeLayerIndices, type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type AllLayersOutput, type DenseRunner, type DenseStep, type LayerRoutes } from '../dense/dense-runner.js';
import { type Numerics } from '@expertmesh/shared/config/numerics';
import { sumUnitsOf } from '@expertmesh/shared/rpc/sum-units';
import { type CacheView } from '../kv/cache-view.js';
import { type AllExperts, type ExpertDispatcher, type LayerResult } from '../dispatch/expert-dispatcher.js';
import { addInPlace, gatherRows, joinRows, nonFiniteRows } from './hidden-rows.js';
import { LayerTimes } from './layer-times.js';

/** One sequence's tokens in a forward pass: they follow those that its cache holds, and have room behind them. */
export interface Chunk {
  readonly cache: CacheView;
  readonly tokenIds: readonly number[];
  /** Logits are wanted of this many tokens at the end of the chunk; 0 while a prompt is not complete. */
  readonly numLogits: number;
}

/** What became of a chunk: its keys and values are stored, or what is behind the cache's length is undefined. */
export type ChunkResult =
  | { readonly ok: true; /** fp32 [numLogits, vocab]; holds until the next pass. */ readonly logits: Float32Array }
  | { readonly ok: false; readonly error: ExpertmeshError };

/** Sees each layer's routing as it happens. Arrays are as in LayerCall and only valid during the call. */
export type RoutingObserver = (layerIndex: number, routes: LayerRoutes, chunks: readonly Chunk[]) => void;

export interface ForwardPassOptions {
  readonly spec: ModelSpec;
  readonly dense: DenseRunner;
  readonly experts: ExpertDispatcher;
  /** Into how many parts the chunks of a step are split; 1 if absent. */
  readonly microBatches?: number;
  readonly times?: LayerTimes;
  readonly observe?: RoutingObserver;
  /** `fast` if absent. */
  readonly numerics?: Numerics;
}

/** Runs tokens through the whole model: dense parts here, experts through the dispatcher. */
export class ForwardPass {
  readonly #spec: ModelSpec;
  readonly #moeLayerIndices: readonly number[];
  readonly #dense: DenseRunner;
  readonly #experts: ExpertDispatcher;
  readonly #microBatches: number;
  readonly #times: LayerTimes;
  readonly #observe: RoutingObserver | undefined;
  readonly #areSumsExact: boolean;

  constructor(options: ForwardPassOptions) {
    this.#spec = options.spec;
    this.#moeLayerIndices = moeLayerIndices(options.spec);
    this.#dense = options.dense;
    this.#experts = options.experts;
    this.#microBatches = options.microBatches ?? 1;
    this.#times = options.times ?? new LayerTimes();
    this.#observe = options.observe;
    this.#areSumsExact = options.numerics === 'invariant';
  }

  /**
   * Computes all chunks. Chunks whose experts failed drop out on the way; the others go on. Micro-batches go through
   * the model side by side: while the experts of one are away, this thread computes the dense part of another.
   */
  async run(chunks: readonly Chunk[]): Promise<Map<Chunk, ChunkResult>> {
    const results = new Map<Chunk, ChunkResult>();
    const allExperts = this.#experts.allExperts?.();
    const batches = splitEvenly(chunks, allExperts === undefined ? this.#microBatches : 1);
    // None may still be under way when this ends, also not beside one that threw.
    const ends = await Promise.allSettled(batches.map((batch) => this.#runBatch(batch, allExperts, results)));
    const ended = ends.map((end) => {
      if (end.status === 'rejected') throw end.reason;
      return end.value;
    });
    await this.#logits(ended, results);
    return results;
  }

  /**
   * Takes chunks through all layers; those that fail on the way are in `results` then, and not in the batch that is
   * left.
   */
  async #runBatch(
    chunks: readonly Chunk[],
    allExperts: AllExperts | undefined,
    results: Map<Chunk, ChunkResult>,
  ): Promise<Batch> {
    const begun = this.#batch(chunks, this.#dense.embed(chunks.flatMap((chunk) => chunk.tokenIds)));
    const { allLayers } = begun.step;
    return allExperts === undefined || allLayers === undefined
      ? this.#layerByLayer(begun, results)
      : this.#inOneCall(begun, (hidden) => allLayers(hidden, allExperts, this.#areSumsExact), results);
  }

  // What is not finite in a layer stays so to the end, where it is found out.
  async #inOneCall(
    batch: Batch,
    allLayers: (hidden: Float32Array) => Promise<AllLayersOutput>,
    results: Map<Chunk, ChunkResult>,
  ): Promise<Batch> {
    const { seconds, routes } = await allLayers(batch.hidden);
    this.#times.addLocal(this.#moeLayerIndices.length, seconds.dense * 1e6, seconds.experts * 1e6);
    for (const [position, layerIndex] of this.#moeLayerIndices.entries()) {
      const layerRoutes = routes[position];
      if (layerRoutes !== undefined) this.#observe?.(layerIndex, layerRoutes, batch.chunks);
    }
    return this.#withoutFailed(batch, nonFiniteRows(batch.hidden, this.#spec.hiddenSize), results);
  }

  async #layerByLayer(begun: Batch, results: Map<Chunk, ChunkResult>): Promise<Batch> {
    let batch = begun;
    for (let layerIndex = 0; layerIndex < this.#spec.numLayers && batch.chunks.length > 0; layerIndex++) {
      const { hidden, failures } = await this.#layer(layerIndex, batch);
      batch = this.#withoutFailed({ ...batch, hidden }, failures, results);
    }
    return batch;
  }

  async #layer(layerIndex: number, batch: Batch): Promise<LayerOutcome> {
    const startMs = performance.now();
    const { residual, routed } = await batch.step.layer(layerIndex, batch.hidden);
    const denseMs = performance.now() - startMs;
    if (routed === undefined) return { hidden: residual, failures: NO_FAILURES };
    this.#observe?.(layerIndex, routed, batch.chunks);
    const { sums, failures, times } = await this.#experts.dispatch({
      layerIndex,
      numRows: batch.numRows,
      topK: this.#spec.topK,
      rows: routed.normed,
      expertIds: routed.expertIds,
      routingWeights: routed.routingWeights,
      sumUnits: this.#areSumsExact ? sumUnitsOf(residual, this.#spec.hiddenSize) : undefined,
    });
    this.#times.add(denseMs * 1000, times);
    addInPlace(residual, sums);
    return { hidden: residual, failures };
  }

  // For all batches at once: the head is the largest matrix of the model, and is read once a step.
  async #logits(batches: readonly Batch[], results: Map<Chunk, ChunkResult>): Promise<void> {
    const { hiddenSize, vocabSize } = this.#spec;
    const hidden = joinRows(batches.map((batch) => gatherRows(batch.hidden, rowsWithLogits(batch), hiddenSize)));
    const logits = hidden.length === 0 ? hidden : await this.#dense.logits(hidden);
    let row = 0;
    for (const chunk of batches.flatMap((batch) => batch.chunks)) {
      results.set(chunk, { ok: true, logits: logits.subarray(row * vocabSize, (row + chunk.numLogits) * vocabSize) });
      row += chunk.numLogits;
    }
  }

  #batch(chunks: readonly Chunk[], hidden: Float32Array): Batch {
    const rowIndices: number[] = [];
    let numRows = 0;
    for (const { tokenIds } of chunks) {
      rowIndices.push(numRows);
      numRows += tokenIds.length;
    }
    const step = this.#dense.begin(chunks.map(({ cache, tokenIds }) => ({ cache, numRows: tokenIds.length })));
    return { chunks, hidden, numRows, step, rowIndices };
  }

  /** Chunks of which a row failed go into `results`; the others stay. */
  #withoutFailed(batch: Batch, failures: RowFailures, results: Map<Chunk, ChunkResult>): Batch {
    if (failures.size === 0) return batch;
    const failed = byChunk(batch, failures);
    for (const [chunk, error] of failed) results.set(chunk, { ok: false, error });
    const kept = batch.chunks.filter((chunk) => !failed.has(chunk));
    const rows = batch.chunks.flatMap((chunk, index) => {
      if (failed.has(chunk)) return [];
      return chunk.tokenIds.map((_, offset) => (batch.rowIndices[index] ?? 0) + offset);
    });
    return this.#batch(kept, gatherRows(batch.hidden, rows, this.#spec.hiddenSize));
  }
}

/** Splits chunks into at most `numParts` parts with about as many tokens each; none is empty. */
export function splitEvenly(chunks: readonly Chunk[], numParts: number): Chunk[][] {
  const parts: { numTokens: number; readonly chunks: Chunk[] }[] = [];
  for (const chunk of [...chunks].sort((a, b) => b.tokenIds.length - a.tokenIds.length)) {
    const lightest = parts.reduce<(typeof parts)[number] | undefined>(
      (best, part) => (best === undefined || part.numTokens < best.numTokens ? part : best),
      undefined,
    );
    if (lightest === undefined || parts.length < numParts)
      parts.push({ numTokens: chunk.tokenIds.length, chunks: [chunk] });
    else {
      lightest.chunks.push(chunk);
      lightest.numTokens += chunk.tokenIds.length;
    }
  }
  return parts.map((part) => part.chunks);
}

/** The rows of all live chunks, chunk after chunk. */
interface Batch {
  readonly chunks: readonly Chunk[];
  /** fp32 [rows, hidden] */
  readonly hidden: Float32Array;
  readonly numRows: number;
  readonly step: DenseStep;
  /** First row of each chunk. */
  readonly rowIndices: readonly number[];
}

interface LayerOutcome {
  readonly hidden: Float32Array;
  readonly failures: RowFailures;
}

/** Row index to the reason. */
type RowFailures = LayerResult['failures'];

const NO_FAILURES: RowFailures = new Map();

function byChunk(batch: Batch, failures: RowFailures): Map<Chunk, ExpertmeshError> {
  const failed = new Map<Chunk, ExpertmeshError>();
  for (const [index, chunk] of batch.chunks.entries()) {
    const first = batch.rowIndices[index] ?? 0;
    for (let row = first; row < first + chunk.tokenIds.length; row++) {
      const error = failures.get(row);
      if (error !== undefined && !failed.has(chunk)) failed.set(chunk, error);
    }
  }
  return failed;
}

const rowsWithLogits = ({ chunks, rowIndices }: Batch): number[] =>
  chunks.flatMap(({ tokenIds, numLogits }, index) => {
    const end = (rowIndices[index] ?? 0) + tokenIds.length;
    return Array.from({ length: numLogits }, (_, offset) => end - numLogits + offset);
  });
