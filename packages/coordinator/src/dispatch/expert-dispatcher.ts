import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** One layer's routed tokens. Arrays belong to the caller and must not change until the call has ended. */
export interface LayerCall {
  readonly layerIndex: number;
  readonly numRows: number;
  readonly topK: number;
  /** fp32 [numRows, hidden]: the normed hidden states. */
  readonly rows: Float32Array;
  /** [numRows, topK] logical experts; those of one row are distinct. */
  readonly expertIds: Int32Array;
  /** fp32 [numRows, topK]. */
  readonly routingWeights: Float32Array;
  /**
   * fp32 [numRows], of sumUnitsOf: the sums do not depend on how workers share the experts then. Absent where they are
   * rounded as they come.
   */
  readonly sumUnits?: Float32Array | undefined;
}

export interface LayerResult {
  /** fp32 [numRows, hidden]: sum over the row's experts of weight * expert(row). Rows that failed hold no meaning. */
  readonly sums: Float32Array;
  /** Row index to the reason; empty when all went well. An expert that did not answer is an error, never a zero. */
  readonly failures: ReadonlyMap<number, ExpertmeshError>;
  readonly times: DispatchTimes;
}

/** Where the time of one dispatch went; see LayerTimeSums. */
export interface DispatchTimes {
  readonly serialiseUs: number;
  readonly wireUs: number;
  readonly waitUs: number;
  readonly computeUs: number;
  readonly combineUs: number;
}

/**
 * All experts of the model, in this process, for a dense runner that can compute whole layers with them. What they are
 * is between that runner and whoever has loaded them.
 */
export interface AllExperts {
  /** Layers with experts. */
  readonly numLayers: number;
}

/** Computes the experts of one layer, wherever they are. */
export interface ExpertDispatcher {
  dispatch(call: LayerCall): Promise<LayerResult>;
  /** Where no worker takes part: a pass need not stop at every layer then. */
  allExperts?(): AllExperts | undefined;
}
