import { writeFileSync } from 'node:fs';
import { encodeChunk } from '@expertmesh/shared/routing-trace/trace-chunk';
import { encodeTraceHeader, type TraceHeader } from '@expertmesh/shared/routing-trace/trace-header';
import { newStep } from '@expertmesh/shared/routing-trace/trace-step';

/**
 * Writes a trace of steps of one row each.
 *
 * @param expertsOf the experts of a row in a layer, as many as topK
 */
export async function writeTraceFile(
  path: string,
  header: TraceHeader,
  numRows: number,
  expertsOf: (row: number, layer: number) => readonly number[],
): Promise<void> {
  const steps = Array.from({ length: numRows }, (_, row) => {
    const { step, bytes } = newStep(header, 1);
    step.decodeBits[0] = 1;
    for (const layer of header.layerIndices.keys()) step.expertIds.set(expertsOf(row, layer), layer * header.topK);
    return bytes;
  });
  writeFileSync(path, Buffer.concat([encodeTraceHeader(header), await encodeChunk(Buffer.concat(steps))]));
}
