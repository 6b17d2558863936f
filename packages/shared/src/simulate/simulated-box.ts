/** A machine that need not exist. */
export interface SimulatedBox {
  readonly boxId: string;
  readonly memoryBytes: number;
  /** As its memory is read by all cores. */
  readonly memoryBytesPerSecond: number;
  readonly numCores: number;
}

/** Between the coordinator and each worker. */
export interface SimulatedNetwork {
  /** Of the coordinator's port, in one direction. */
  readonly bytesPerSecond: number;
  readonly roundTripSeconds: number;
}

/** The part of a box's memory that weights may take; the rest is for the KV cache, rows in flight and the system. */
export const USABLE_MEMORY = 0.8;
