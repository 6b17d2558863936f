import { type ErrorCode } from '../errors/expertmesh-error.js';

/** How token rows travel. fp32 is exact; fp16 halves the bytes; int8 halves them once more. */
export const WIRE_DTYPES = ['fp32', 'fp16', 'int8'] as const;
export type WireDtype = (typeof WIRE_DTYPES)[number];

/** How rows are laid out in a message: a call's as they travel, an answer's likewise, or exact sums. */
export type RowDtype = WireDtype | 'exact';

/** Token rows as they travel; wire-rows.ts makes them and reads them. */
export interface WireRows<Dtype extends RowDtype = WireDtype> {
  readonly rowDtype: Dtype;
  /** [numRows, hiddenSize]: Float32Array for fp32, Uint16Array of half bits for fp16, Int8Array for int8. */
  readonly rows: Float32Array | Uint16Array | Int8Array;
  /** [numRows, blocks of a row], for int8 only. */
  readonly rowScales?: Float32Array;
}

/** How calls name a store: by the first 8 bytes of its id, which is a SHA-256, as 16 hexadecimal digits. */
export function storeIdOfCalls(storeId: string): string {
  return storeId.slice(0, 16);
}

/**
 * `expertmesh.v1.DispatchRequest` with its tensors as typed-array views, as dispatch-codec.ts reads and writes it.
 * Field meanings are in proto/expertmesh/v1/expert.proto.
 */
export interface DispatchCall extends WireRows {
  readonly callId: number;
  readonly layerIndex: number;
  readonly placementVersion: number;
  /** The store whose experts are asked for; see storeIdOfCalls. */
  readonly storeId: string;
  readonly numRows: number;
  readonly hiddenSize: number;
  /** [numRows + 1] */
  readonly rowOffsets: Uint32Array;
  /** [numPairs] */
  readonly expertIds: Uint32Array;
  /** [numPairs] */
  readonly routingWeights: Float32Array;
  /**
   * fp32 [numRows], powers of two: to what multiples the terms of each row's sum are rounded, so that sums do not
   * depend on how workers share the experts. Absent: they are rounded as they come.
   */
  readonly sumUnits?: Float32Array;
}

/** Why a call has no rows. */
export interface CallError {
  readonly code: ErrorCode;
  readonly message: string;
  /** The experts of the call that the worker does not hold; absent when that is not what is wrong. */
  readonly missingExpertIds?: readonly number[];
}

/**
 * `expertmesh.v1.DispatchResponse` likewise. The rows of exact sums are fp32 [numRows, hiddenSize], and where a term
 * was too large for its row's unit, [numRows, hiddenSize] high parts behind them.
 */
export interface DispatchAnswer extends WireRows<RowDtype> {
  readonly callId: number;
  readonly layerIndex: number;
  readonly placementVersion: number;
  readonly numRows: number;
  readonly hiddenSize: number;
  readonly numPairs: number;
  readonly error: CallError | undefined;
  readonly queueUs: number;
  readonly computeUs: number;
  readonly numCallsTogether: number;
}
