import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type DispatchAnswer, type WireDtype, type WireRows } from '@expertmesh/shared/rpc/dispatch-message';
import { takeWireRows, toWireRows } from '@expertmesh/shared/rpc/wire-rows';
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
    return (this.#travelling ??= toWireRows(this.#dtype, this.#rows, this.hiddenSize));
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
