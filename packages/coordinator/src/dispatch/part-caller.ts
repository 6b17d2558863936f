import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type DispatchAnswer, type WireDtype, type WireRows } from '@expertmesh/shared/rpc/dispatch-message';
import { firstNonFinite } from '@expertmesh/shared/rpc/non-finite';
import { numScales, takeWireRows, toWireRows } from '@expertmesh/shared/rpc/wire-rows';
import { checkAnswer, type PartOutcome } from './combine.js';
import { type LayerCall } from './expert-dispatcher.js';
import { type ExpertLink, type OutgoingCall } from './expert-link.js';
import { type DispatchPart } from './route-plan.js';
import { type WorkerLinks } from './worker-links.js';

/** The placement that a part was routed by. */
export type RoutedBy = Pick<Placement, 'version' | 'workerIds'>;

/** One part of a layer call, for the worker that it is routed to. */
export interface PartCall {
  readonly rows: TravellingRows;
  readonly part: DispatchPart;
  readonly placement: RoutedBy;
  readonly deadlineMs: number;
  /** Told, where it is sent, how to withdraw it: it fails with `cancelled` then. */
  readonly onSent?: (withdraw: () => void) => void;
}

/** Has one worker compute one part, once. What becomes of a part that failed is for whoever stands around it. */
export interface PartCaller {
  /** Never rejects: a part that failed is an outcome. */
  call(call: PartCall): Promise<PartOutcome>;
}

/** The rows of a layer call, brought once into the form in which they travel, also where several workers need them. */
export class TravellingRows {
  readonly layerIndex: number;
  readonly hiddenSize: number;
  readonly #rows: Float32Array;
  readonly #dtype: WireDtype;
  readonly #sumUnits: Float32Array | undefined;
  readonly #unsendable = new Map<number, ExpertmeshError>();
  #travelling: WireRows | undefined;

  constructor({ layerIndex, numRows, rows, sumUnits }: LayerCall, hiddenSize: number, dtype: WireDtype) {
    this.layerIndex = layerIndex;
    this.hiddenSize = hiddenSize;
    this.#rows = rows.subarray(0, numRows * hiddenSize);
    this.#dtype = dtype;
    this.#sumUnits = sumUnits;
  }

  /**
   * In this process nothing travels, and nothing is rounded; except where the sums may not depend on who computes an
   * expert.
   */
  ofMember(workerId: string): WireRows {
    if (workerId === LOCAL_MEMBER && this.#sumUnits === undefined)
      return toWireRows('fp32', this.#rows, this.hiddenSize);
    return (this.#travelling ??= this.#travel());
  }

  /**
   * By row of the layer call: those that have a value which the type they travel in has no room for. Zeros travel in
   * their place, so that the other rows of a part are computed all the same.
   */
  get unsendable(): ReadonlyMap<number, ExpertmeshError> {
    return this.#unsendable;
  }

  #travel(): WireRows {
    const wireRows = toWireRows(this.#dtype, this.#rows, this.hiddenSize);
    // fp32 rounds nothing: what is not finite there was not before, and the worker says so.
    if (this.#dtype === 'fp32') return wireRows;
    const { rows, rowScales } = wireRows;
    const scalesPerRow = numScales(this.#dtype, 1, this.hiddenSize);
    let wrong = firstNonFinite(wireRows, this.hiddenSize);
    while (wrong !== undefined) {
      const { rowIndex, what } = wrong;
      rows.fill(0, rowIndex * this.hiddenSize, (rowIndex + 1) * this.hiddenSize);
      rowScales?.fill(0, rowIndex * scalesPerRow, (rowIndex + 1) * scalesPerRow);
      this.#unsendable.set(rowIndex, doesNotFit(this.#dtype, this.layerIndex, what));
      wrong = firstNonFinite(wireRows, this.hiddenSize, rowIndex + 1);
    }
    return wireRows;
  }

  /** The units of some rows; undefined where sums are rounded as they come. */
  unitsOf(rowIndices: Uint32Array): Float32Array | undefined {
    const units = this.#sumUnits;
    return units && Float32Array.from(rowIndices, (rowIndex) => units[rowIndex] ?? NaN);
  }
}

/** Sends a part over the link to its worker, and checks that the answer is one to it. */
export class WorkerPartCaller implements PartCaller {
  readonly #links: Pick<WorkerLinks, 'linkTo'>;
  /** As calls name it. */
  readonly #storeId: string;
  readonly #clock: Clock;

  constructor(links: Pick<WorkerLinks, 'linkTo'>, storeId: string, clock: Clock) {
    this.#links = links;
    this.#storeId = storeId;
    this.#clock = clock;
  }

  async call(call: PartCall): Promise<PartOutcome> {
    const { part, placement, deadlineMs, onSent } = call;
    const workerId = placement.workerIds[part.workerIndex] ?? '';
    const message = toMessage(call, workerId, this.#storeId);
    let link: ExpertLink;
    let answer: DispatchAnswer;
    try {
      link = this.#links.linkTo(workerId);
      answer = await link.call(message, deadlineMs, onSent);
    } catch (thrown) {
      return { kind: 'failed', part, error: ExpertmeshError.from(thrown) };
    }
    const answeredMs = this.#clock.nowMs();
    const wrong = checkAnswer(message, answer, link.peer);
    if (wrong === undefined) return { kind: 'answered', part, answer, answeredMs };
    link.countWrongAnswer(wrong.kind, wrong.message);
    return { kind: 'failed', part, error: wrong };
  }
}

function doesNotFit(dtype: WireDtype, layerIndex: number, what: string): ExpertmeshError {
  const limit = dtype === 'fp16' ? 'its values end at 65,504' : 'a scale is as large as fp32 has them';
  return new ExpertmeshError(
    'out_of_range',
    `a hidden state does not fit ${dtype} before layer ${String(layerIndex)}: ${what}, ${limit}; ` +
      'start the coordinator with --wire-dtype fp32',
  );
}

function toMessage({ rows, part, placement }: PartCall, workerId: string, storeId: string): OutgoingCall {
  const { layerIndex, hiddenSize } = rows;
  const sumUnits = rows.unitsOf(part.rowIndices);
  return {
    layerIndex,
    placementVersion: placement.version,
    storeId,
    numRows: part.rowIndices.length,
    hiddenSize,
    rowOffsets: part.rowOffsets,
    expertIds: part.expertIds,
    routingWeights: part.routingWeights,
    ...(sumUnits && { sumUnits }),
    ...takeWireRows(rows.ofMember(workerId), part.rowIndices, hiddenSize),
  };
}
