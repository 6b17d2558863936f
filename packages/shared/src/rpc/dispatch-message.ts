import { type ErrorCode } from '../errors/expertmesh-error.js';

/** How token rows travel. fp32 is exact; fp16 halves the bytes. */
export type WireDtype = 'fp32' | 'fp16';

/**
 * `expertmesh.v1.DispatchRequest` with its tensors as typed-array views, as dispatch-codec.ts reads and writes it. Field
 * meanings are in proto/expertmesh/v1/expert.proto.
 */
export interface DispatchCall {
  readonly callId: number;
  readonly layerIndex: number;
  readonly placementVersion: number;
  readonly numRows: number;
  readonly hiddenSize: number;
  readonly rowDtype: WireDtype;
  /** [numRows + 1] */
  readonly rowOffsets: Uint32Array;
  /** [numPairs] */
  readonly expertIds: Uint32Array;
  /** [numPairs] */
  readonly routingWeights: Float32Array;
  /** [numRows, hiddenSize]: Float32Array for fp32, Uint16Array of half bits for fp16. */
  readonly rows: Float32Array | Uint16Array;
}

/** `expertmesh.v1.DispatchResponse` likewise. */
export interface DispatchAnswer {
  readonly callId: number;
  readonly layerIndex: number;
  readonly placementVersion: number;
  readonly numRows: number;
  readonly hiddenSize: number;
  readonly rowDtype: WireDtype;
  readonly numPairs: number;
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined;
  readonly queueUs: number;
  readonly computeUs: number;
  readonly numCallsTogether: number;
  readonly rows: Float32Array | Uint16Array;
}
