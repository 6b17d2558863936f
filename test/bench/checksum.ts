import { loadKernels } from '@expertmesh/kernels/kernels';
import { portableCrc32c, type Crc32c } from '@expertmesh/shared/rpc/crc32c';
import { encodeDispatchCall } from '@expertmesh/shared/rpc/dispatch-codec';

/*
 * What the checksum of a call costs, at the geometry of Qwen3-30B-A3B and fp32 rows: `npx tsx test/bench/checksum.ts`.
 * A round trip has four of them: both sides of the call, and of the answer.
 */

const HIDDEN = 2048;
const TOP_K = 8;
const NUM_ROUNDS = 200;
const ROUND_MS = 1;
const CHECKSUMS_PER_ROUND_TRIP = 4;

function callOf(numRows: number): Uint8Array {
  const numPairs = TOP_K * numRows;
  return encodeDispatchCall({
    ...{ callId: 1, layerIndex: 0, placementVersion: 1, storeId: '0123456789abcdef', hiddenSize: HIDDEN },
    ...{ numRows, rowDtype: 'fp32', rows: new Float32Array(numRows * HIDDEN) },
    rowOffsets: Uint32Array.from({ length: numRows + 1 }, (_, row) => TOP_K * row),
    expertIds: new Uint32Array(numPairs),
    routingWeights: new Float32Array(numPairs),
  });
}

/** Of the best round: whatever else runs only adds. */
function secondsOf(crc32c: Crc32c, bytes: Uint8Array): number {
  let best = Infinity;
  for (let round = 0; round < NUM_ROUNDS; round++) {
    const startMs = performance.now();
    let numRuns = 0;
    for (; performance.now() - startMs < ROUND_MS; numRuns++) crc32c(bytes);
    best = Math.min(best, (performance.now() - startMs) / 1000 / numRuns);
  }
  return best;
}

const kernels = loadKernels();
const implementations: [string, Crc32c][] = [['portable', portableCrc32c]];
if (kernels !== undefined) implementations.unshift(['native', (bytes) => kernels.crc32c(bytes)]);
for (const [name, crc32c] of implementations)
  for (const numRows of [1, 16, 256]) {
    const bytes = callOf(numRows);
    const seconds = secondsOf(crc32c, bytes);
    const rate = (bytes.byteLength / seconds / 1e9).toFixed(2);
    const roundTripUs = (CHECKSUMS_PER_ROUND_TRIP * seconds * 1e6).toFixed(1);
    const call = `${String(numRows)} rows, ${String(bytes.byteLength)} bytes`;
    console.log(`${name}, ${call}: ${rate} GB/s, ${roundTripUs} us a round trip`);
  }
