/** One loaded layer, as far as a call is checked against it. */
export interface ServedLayer {
  readonly layerIndex: number;
  /** By logical expert: its position in the layer's shard, or -1 where this worker does not hold it. */
  readonly localIndices: Int32Array;
}

/** What this worker answers calls for. */
export interface ServedShard<Layer extends ServedLayer = ServedLayer> {
  /** The store that it is of, as calls name it. */
  readonly storeId: string;
  readonly hiddenSize: number;
  readonly layers: ReadonlyMap<number, Layer>;
}
