import { routingShape } from '@expertmesh/shared/balance/routing-shape';
import { type TraceChunk } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { encodeChunk } from '@expertmesh/shared/routing-trace/trace-chunk';
import { encodeTraceHeader, type TraceHeader } from '@expertmesh/shared/routing-trace/trace-header';
import { type RecordedSteps } from './trace-recorder.js';

export function traceHeaderOf(spec: ModelSpec, storeId: string): TraceHeader {
  return {
    formatVersion: 1,
    storeId,
    numLayers: spec.numLayers,
    hiddenSize: spec.hiddenSize,
    ...routingShape(spec),
  };
}

/**
 * A trace as it is recorded: the header with the first piece, then chunks. Whoever puts the pieces' `data` one behind
 * the other has a file. `numTokens` are the rows of the piece.
 */
export async function* traceChunks(
  header: TraceHeader,
  recorded: AsyncIterable<RecordedSteps>,
): AsyncGenerator<TraceChunk, void, void> {
  yield { data: encodeTraceHeader(header), numTokens: 0 };
  for await (const { content, numRows } of recorded) yield { data: await encodeChunk(content), numTokens: numRows };
}
