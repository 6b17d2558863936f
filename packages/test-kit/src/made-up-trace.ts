import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { CHUNK_CONTENT_BYTES, encodeChunk } from '@expertmesh/shared/routing-trace/trace-chunk';
import { encodeTraceHeader, type TraceHeader } from '@expertmesh/shared/routing-trace/trace-header';
import { newStep, type TraceStep } from '@expertmesh/shared/routing-trace/trace-step';

/** Routes that are made up from a seed: each layer has experts that it prefers. */
export interface MadeUpRouting {
  readonly seed: number;
  /** Rows of each step, in turn. */
  readonly stepRows: readonly number[];
  readonly numRows: number;
}

export function traceHeader(numLayers: number, overrides: Partial<TraceHeader> = {}): TraceHeader {
  return {
    formatVersion: 1,
    storeId: 'store',
    numLayers,
    layerIndices: Array.from({ length: numLayers }, (_, layerIndex) => layerIndex),
    hiddenSize: 2048,
    numExperts: 128,
    topK: 8,
    ...overrides,
  };
}

/** The first row of a step decodes, and all of them in a step of at most 16. */
export function* madeUpSteps(
  header: TraceHeader,
  { seed, stepRows, numRows }: MadeUpRouting,
): Generator<{ readonly step: TraceStep; readonly bytes: Uint8Array }> {
  const random = seededRandom(seed);
  const { numExperts, topK, layerIndices } = header;
  const chosen = new Set<number>();
  for (let row = 0, index = 0; row < numRows; index++) {
    const rows = Math.min(stepRows[index % stepRows.length] ?? 1, numRows - row);
    const { step, bytes } = newStep(header, rows);
    for (let r = 0; r < (rows <= 16 ? rows : 1); r++)
      step.decodeBits[r >> 3] = (step.decodeBits[r >> 3] ?? 0) | (1 << (r & 7));
    for (let at = 0; at < layerIndices.length * rows; at++) {
      const layer = Math.floor(at / rows);
      chosen.clear();
      // The square makes the experts after the layer's first one more popular than those before it.
      while (chosen.size < topK) chosen.add(Math.floor(random() ** 2 * numExperts + layer * 37) % numExperts);
      step.expertIds.set([...chosen], at * topK);
    }
    yield { step, bytes };
    row += rows;
  }
}

/** The values as they would come from a file or a call. */
export async function* arriving<T>(values: Iterable<T>): AsyncGenerator<T, void, void> {
  for (const value of values) yield await Promise.resolve(value);
}

/** The bytes of a trace: its header, and its chunks. */
export async function* madeUpTrace(header: TraceHeader, routing: MadeUpRouting): AsyncGenerator<Uint8Array> {
  yield encodeTraceHeader(header);
  let content: Uint8Array[] = [];
  let numBytes = 0;
  for (const { bytes } of madeUpSteps(header, routing)) {
    content.push(bytes);
    numBytes += bytes.length;
    if (numBytes < CHUNK_CONTENT_BYTES) continue;
    yield encodeChunk(Buffer.concat(content));
    content = [];
    numBytes = 0;
  }
  if (numBytes > 0) yield encodeChunk(Buffer.concat(content));
}
