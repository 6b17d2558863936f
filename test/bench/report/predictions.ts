import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { predictDecode, type MeasuredLayer, type Network, type Prediction } from '../harness/prediction.js';
import { type Samples } from '../harness/samples.js';
import { formatNumber, table } from './text-report.js';

const WHOLE_MODEL_LAYERS = 94;
const NUM_BOXES = [4, 8, 16] as const;
/** 10 Gbit/s, and a round trip through a switch. */
const NETWORK: Network = { roundTripMs: 0.1, bytesPerSecond: 1.25e9 };

/**
 * The whole 235B model over several boxes like this one, from the two layers that were measured; empty without them.
 */
export function predictWholeModel(samples: Samples, spec: ModelSpec): Prediction[] {
  const { numExperts, topK, hiddenSize } = spec;
  const model = { numLayers: WHOLE_MODEL_LAYERS, numExperts, topK, hiddenSize };
  return [1, 16].flatMap((batchSize) => {
    const layer = measuredLayer(samples, batchSize, spec.numLayers);
    return layer === undefined ? [] : NUM_BOXES.map((numBoxes) => predictDecode(model, layer, numBoxes, NETWORK));
  });
}

function measuredLayer(samples: Samples, batchSize: number, numLayers: number): MeasuredLayer | undefined {
  const median = (name: string): number | undefined => samples.summary(`large.${name}`)?.median;
  const [dense, compute, overhead, tokensPerSecond] = [
    median(`layer.${String(batchSize)}.dense`),
    median(`layer.${String(batchSize)}.compute`),
    median(`layer.${String(batchSize)}.overhead`),
    median(`decode.${String(batchSize)}`),
  ];
  if (dense === undefined || compute === undefined || overhead === undefined || tokensPerSecond === undefined)
    return undefined;
  const stepMs = (1000 * batchSize) / tokensPerSecond;
  return { batchSize, dense, compute, overhead, head: Math.max(0, stepMs - numLayers * (dense + compute + overhead)) };
}

export function predictionReport(predictions: readonly Prediction[]): string {
  const headings = ['boxes', 'sequences', 'tok/s', 'step ms', 'workers of a token', 'share of the busiest'];
  const rows = predictions.map((prediction) =>
    [
      prediction.numBoxes,
      prediction.batchSize,
      prediction.tokensPerSecond,
      prediction.stepMs,
      prediction.distinctWorkers,
      prediction.busiestShare,
    ].map((value) => (Number.isInteger(value) ? String(value) : formatNumber(value))),
  );
  return (
    'Qwen3-235B-A22B on boxes like this one, 10 Gbit/s, 0.1 ms round trip ' +
    `(predicted)\n${table([headings, ...rows], 0)}`
  );
}
