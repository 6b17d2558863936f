import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { elementBytes, numScales } from '@expertmesh/shared/rpc/wire-rows';
import { type LayerCall } from './expert-dispatcher.js';

/** What one message asks of one worker: rows of the layer call and, in compressed-row form, their pairs that this worker computes. */
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

/** What a choice between replicas may look at. */
export interface RouteState {
  /** Whether the row whose pair is being routed goes to this worker already. */
  isNeeded(workerIndex: number): boolean;
  /** Pairs that this layer call gives to the worker so far. */
  numPairs(workerIndex: number): number;
}

/** Picks one of at least two replicas (indices into the placement's workerIds, ascending). */
export type ChooseReplica = (replicas: readonly number[], state: RouteState) => number;

/** Prefers a worker that gets the row anyway, which saves sending the row; then the one with the fewest pairs. */
export const preferNeededThenLeastLoaded: ChooseReplica = (replicas, state) => {
  const needed = replicas.filter((workerIndex) => state.isNeeded(workerIndex));
  const candidates = needed.length > 0 ? needed : replicas;
  return candidates.reduce((best, workerIndex) =>
    state.numPairs(workerIndex) < state.numPairs(best) ? workerIndex : best,
  );
};

/**
 * Groups the (row, expert) pairs of a layer by worker. Every pair is in exactly one part; a worker has one part, or several of
 * at most `maxRowsPerPart` rows. Parts are ordered by worker and then by row, and so is the sum of their answers.
 *
 * @throws ExpertmeshError `internal` for an expert or a layer that the placement does not know.
 */
export function planDispatch(
  call: LayerCall,
  placement: Placement,
  maxRowsPerPart: number,
  chooseReplica: ChooseReplica = preferNeededThenLeastLoaded,
): DispatchPart[] {
  const workerOfPair = routePairs(call, placement, chooseReplica);
  const builders = placement.workerIds.map((_, workerIndex) => new PartBuilder(workerIndex, maxRowsPerPart));
  for (let pair = 0; pair < workerOfPair.length; pair++) {
    const rowIndex = Math.floor(pair / call.topK);
    builders[workerOfPair[pair] ?? -1]?.add(rowIndex, call.expertIds[pair] ?? 0, call.routingWeights[pair] ?? 0);
  }
  return builders.flatMap((builder) => builder.finish());
}

/** How many rows fit a message, with every row's topK pairs on the same worker. */
export function maxRowsPerMessage(hiddenSize: number, topK: number, dtype: WireDtype, maxMessageBytes: number): number {
  const rowBytes = elementBytes(dtype, 1, hiddenSize) + 4 * numScales(dtype, 1, hiddenSize) + 4 + topK * 8;
  const maxRows = Math.floor((maxMessageBytes - HEADER_BYTES) / rowBytes);
  if (maxRows >= 1) return maxRows;
  throw new ExpertmeshError(
    'invalid_argument',
    `one row of ${String(hiddenSize)} ${dtype} elements does not fit a message of ${String(maxMessageBytes)} bytes`,
  );
}

/** More than the numbers, tags and padding of a message need. */
const HEADER_BYTES = 256;

// [numRows * topK] the worker that computes each pair. Pairs without a choice go first, so that the others know which
// workers the row needs.
function routePairs(call: LayerCall, placement: Placement, chooseReplica: ChooseReplica): Int32Array {
  const { numRows, topK, layerIndex, expertIds } = call;
  const workerOfPair = new Int32Array(numRows * topK).fill(-1);
  const numPairs = new Uint32Array(placement.workerIds.length);
  const lastRow = new Int32Array(placement.workerIds.length).fill(-1);
  const owners = placement.replicas.get(layerIndex);
  if (owners === undefined) throw unknown(placement, `layer ${String(layerIndex)}`);

  for (let row = 0; row < numRows; row++) {
    const state: RouteState = {
      isNeeded: (workerIndex) => lastRow[workerIndex] === row,
      numPairs: (workerIndex) => numPairs[workerIndex] ?? 0,
    };
    const assign = (pair: number, workerIndex: number): void => {
      workerOfPair[pair] = workerIndex;
      numPairs[workerIndex] = (numPairs[workerIndex] ?? 0) + 1;
      lastRow[workerIndex] = row;
    };
    let hasChoice = false;
    for (let pair = row * topK; pair < (row + 1) * topK; pair++) {
      const [first, second] = replicasOf(owners, expertIds[pair], placement);
      if (second === undefined) assign(pair, first);
      else hasChoice = true;
    }
    for (let pair = row * topK; hasChoice && pair < (row + 1) * topK; pair++)
      if (workerOfPair[pair] === -1) assign(pair, chooseReplica(replicasOf(owners, expertIds[pair], placement), state));
  }
  return workerOfPair;
}

function replicasOf(
  owners: readonly (readonly number[])[],
  expertId: number | undefined,
  placement: Placement,
): readonly [number, ...number[]] {
  const replicas = owners[expertId ?? -1];
  if (replicas === undefined || replicas.length === 0) throw unknown(placement, `expert ${String(expertId)}`);
  return replicas as readonly [number, ...number[]];
}

const unknown = (placement: Placement, what: string): ExpertmeshError =>
  new ExpertmeshError('internal', `placement ${String(placement.version)} has no worker for ${what}`);

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
