import {
  type DispatchRequest,
  type DispatchResponse,
  type DispatchStream,
  type WorkerClient,
} from './worker-client.js';

/** The demo model. */
export const NUM_LAYERS = 4;
export const HIDDEN = 128;

/** A call that has no id yet. */
export type Call = Omit<DispatchRequest, 'callId'>;

/** A call for version 1 whose rows have the given expert, weight, expert, weight ... */
export function callOf(layerIndex: number, pairsOfRows: readonly (readonly number[])[]): Call {
  let end = 0;
  const pairs = pairsOfRows.flat();
  const rows = Float32Array.from({ length: pairsOfRows.length * HIDDEN }, (_, i) => Math.sin(i * 12.9898) * 2);
  return {
    layerIndex,
    placementVersion: 1,
    numRows: pairsOfRows.length,
    hiddenSize: HIDDEN,
    rowDtype: 'ROW_DTYPE_FP32',
    rowOffsets: [0, ...pairsOfRows.map((row) => (end += row.length / 2))],
    expertIds: pairs.filter((_, i) => i % 2 === 0),
    routingWeights: pairs.filter((_, i) => i % 2 === 1),
    rows: Buffer.from(rows.buffer),
  };
}

/** A call of layer 0 that takes some hundred milliseconds: 40,000 rows, each with 8 of 64 experts. */
export function longCall(): Call {
  return callOf(0, manyPairs(40_000));
}

const manyPairs = (numRows: number): number[][] =>
  Array.from({ length: numRows }, (_, row) =>
    range(8 * (row % 8), 8 * (row % 8) + 8).flatMap((expertId) => [expertId, 1 / 8]),
  );

/** Calls of all layers in turn that keep a worker busy for some hundred milliseconds. */
export function sendManyCalls(stream: DispatchStream): Promise<DispatchResponse>[] {
  return range(0, 40).map((i) => stream.call(callOf(i % NUM_LAYERS, manyPairs(1600))));
}

/**
 * The same, when the worker has read all of them and some still wait in its queue. It reads no socket while it
 * computes, so that they may be read one by one: then others are sent.
 */
export async function queueManyCalls(
  client: Pick<WorkerClient, 'stats'>,
  stream: DispatchStream,
): Promise<Promise<DispatchResponse>[]> {
  for (;;) {
    const { numCalls: numBefore } = await client.stats();
    const calls = sendManyCalls(stream);
    for (let numCalls = 0; numCalls < numBefore + calls.length;) {
      const stats = await client.stats();
      numCalls = stats.numCalls;
      if (numCalls === numBefore + calls.length && stats.numQueuedCalls > 0) return calls;
    }
  }
}

export function floatsOf(bytes: Buffer): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

/** start .. end - 1 */
export function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}
