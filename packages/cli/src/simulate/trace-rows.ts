import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { TraceReader } from '@expertmesh/shared/routing-trace/trace-reader';
import { recordedRoutes, type RouteSource } from '@expertmesh/shared/simulate/route-source';
import { type SimulatedModel } from '@expertmesh/shared/simulate/simulated-model';

/** Rows beyond these change the means no more. */
const MAX_ROWS = 50_000;

/** @throws ExpertmeshError as TraceReader does, and `not_found` where there is no such file. */
export async function openTrace(path: string): Promise<TraceReader> {
  await access(path).catch((cause: unknown) => {
    throw new ExpertmeshError(
      'not_found',
      `there is no trace ${path}: record one with "expertmesh experts record ${path}"`,
      {
        cause,
      },
    );
  });
  return TraceReader.open(createReadStream(path));
}

/** The routes of a trace, for drawing batches from. */
export async function tracedRoutes(path: string, model: SimulatedModel, batchSize: number): Promise<RouteSource> {
  const trace = await openTrace(path);
  requireSameGeometry(path, trace, model);
  const { topK } = model;
  const rows = model.layerIndices.map((): number[] => []);
  let numRows = 0;
  for await (const step of trace.steps()) {
    for (const [layer, ofLayer] of rows.entries()) {
      const start = layer * step.numRows * topK;
      ofLayer.push(...step.expertIds.subarray(start, start + step.numRows * topK));
    }
    numRows += step.numRows;
    if (numRows >= MAX_ROWS) break;
  }
  if (numRows === 0)
    throw new ExpertmeshError('invalid_argument', `${path} has no routes: record again while requests run`);
  return recordedRoutes(
    model,
    rows.map((ofLayer) => Uint16Array.from(ofLayer)),
    batchSize,
  );
}

export function requireSameGeometry(path: string, { header }: TraceReader, model: SimulatedModel): void {
  const shape = ({
    layerIndices,
    numExperts,
    topK,
  }: Pick<SimulatedModel, 'layerIndices' | 'numExperts' | 'topK'>): string =>
    `${String(layerIndices.length)} layers with ${String(topK)} of ${String(numExperts)} experts`;
  if (shape(header) === shape(model) && header.hiddenSize === model.hiddenSize) return;
  throw new ExpertmeshError(
    'invalid_argument',
    `${path} was recorded of a model of ${shape(header)} and hidden size ${String(header.hiddenSize)}; ` +
      `--model has ${shape(model)} and ${String(model.hiddenSize)}: name the model that was recorded, ` +
      'or its store',
  );
}
