import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { MAX_DISPATCH_ROWS } from '@expertmesh/shared/limits/limits';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { elementBytes, numScales } from '@expertmesh/shared/rpc/wire-rows';
import { type LayerCall } from './expert-dispatcher.js';

/**
 * What one message asks of one worker: rows of the layer call and, in compressed-row form, their pairs that this worker
 * computes.
 */
export interface DispatchPart {
  /** Index into the placement's workerIds. */
  readonly workerIndex: number;
  /** [numRows] rows of the layer call, ascending; each once. */
  readonly rowIndices: Uint32Array;
  /** [numRows + 1] */
  readonly rowOffsets: Uint32Array;
  /** [numPairs] */
  readonly expertIds: Uint32Array;
  /** [numPairs] */
  readonly routingWeights: Float32Array;
}

/**
 * Groups (row, expert) pairs of a layer call by worker. Every pair is in exactly one part; a worker has one part, or
 * several of at most `maxRowsPerPart` rows. Parts are ordered by worker and then by row, and so is the sum of their
 * answers.
 *
 * @param pairs positions in the call's expertIds, ascending.
 * @param workerOfPair [pairs] in 0 .. numWorkers - 1.
 */
export function groupPairs(
  call: LayerCall,
  pairs: ArrayLike<number>,
  workerOfPair: ArrayLike<number>,
  numWorkers: number,
  maxRowsPerPart: number,
): DispatchPart[] {
  const builders = Array.from({ length: numWorkers }, (_, workerIndex) => new PartBuilder(workerIndex, maxRowsPerPart));
  for (let index = 0; index < pairs.length; index++) {
    const pair = pairs[index] ?? 0;
    const rowIndex = Math.floor(pair / call.topK);
    builders[workerOfPair[index] ?? -1]?.add(rowIndex, call.expertIds[pair] ?? 0, call.routingWeights[pair] ?? 0);
  }
  return builders.flatMap((builder) => builder.finish());
}

/** The pairs of a part, as positions in the call's expertIds. */
export function pairsOfPart({ topK, expertIds }: LayerCall, part: DispatchPart): number[] {
  const pairs: number[] = [];
  part.rowIndices.forEach((rowIndex, partRow) => {
    const ofPart = part.expertIds.subarray(part.rowOffsets[partRow], part.rowOffsets[partRow + 1]);
    for (let pair = rowIndex * topK; pair < (rowIndex + 1) * topK; pair++)
      if (ofPart.includes(expertIds[pair] ?? -1)) pairs.push(pair);
  });
  return pairs;
}

/** A part of several rows as two for the same worker. */
export function halvesOf(call: LayerCall, part: DispatchPart): DispatchPart[] {
  const pairs = pairsOfPart(call, part);
  const workers = new Uint32Array(pairs.length).fill(part.workerIndex);
  return groupPairs(call, pairs, workers, part.workerIndex + 1, Math.ceil(part.rowIndices.length / 2));
}

/** How many rows fit a message, with every row's topK pairs on the same worker. */
export function maxRowsPerMessage(hiddenSize: number, topK: number, dtype: WireDtype, maxMessageBytes: number): number {
  const rowBytes = elementBytes(dtype, 1, hiddenSize) + 4 * numScales(dtype, 1, hiddenSize) + 4 + topK * 8;
  const maxRows = Math.floor((maxMessageBytes - HEADER_BYTES) / rowBytes);
  if (maxRows >= 1) return Math.min(maxRows, MAX_DISPATCH_ROWS);
  throw new ExpertmeshError(
    'invalid_argument',
    `one row of ${String(hiddenSize)} ${dtype} elements does not fit a message of ${String(maxMessageBytes)} bytes`,
  );
}

/** As many rows as an answer has room for with exact sums and their high parts. Errors as maxRowsPerMessage. */
export function maxExactRowsPerMessage(hiddenSize: number, topK: number, maxMessageBytes: number): number {
  return maxRowsPerMessage(2 * hiddenSize, topK, 'fp32', maxMessageBytes);
}

/** More than the numbers, tags and padding of a message need. */
const HEADER_BYTES = 256;

/** Collects one worker's pairs row by row, and starts another part where one is full. */
class PartBuilder {
  readonly #workerIndex: number;
  readonly #maxRows: number;
  readonly #parts: DispatchPart[] = [];
  #rowIndices: number[] = [];
  #rowOffsets: number[] = [];
  #expertIds: number[] = [];
  #routingWeights: number[] = [];

  constructor(workerIndex: number, maxRows: number) {
    this.#workerIndex = workerIndex;
    this.#maxRows = maxRows;
  }

  add(rowIndex: number, expertId: number, routingWeight: number): void {
    if (this.#rowIndices.at(-1) !== rowIndex) {
      if (this.#rowIndices.length === this.#maxRows) this.#endPart();
      this.#rowIndices.push(rowIndex);
      this.#rowOffsets.push(this.#expertIds.length);
    }
    this.#expertIds.push(expertId);
    this.#routingWeights.push(routingWeight);
  }

  finish(): DispatchPart[] {
    if (this.#rowIndices.length > 0) this.#endPart();
    return this.#parts;
  }

  #endPart(): void {
    this.#parts.push({
      workerIndex: this.#workerIndex,
      rowIndices: Uint32Array.from(this.#rowIndices),
      rowOffsets: Uint32Array.from([...this.#rowOffsets, this.#expertIds.length]),
      expertIds: Uint32Array.from(this.#expertIds),
      routingWeights: Float32Array.from(this.#routingWeights),
    });
    this.#rowIndices = [];
    this.#rowOffsets = [];
    this.#expertIds = [];
    this.#routingWeights = [];
  }
}
