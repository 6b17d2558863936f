import { expertLayout } from '../expert-store/blob-layout.js';
import { expertBlobPath } from '../expert-store/blob-path.js';
import { type Quantisation } from '../expert-store/quantisation.js';
import { type ModelSpec } from '../model/model-spec.js';
import { GraphBuilder } from './graph-builder.js';
import { gatedMlp } from './linear-op.js';
import { CPU_FORM } from './onnx-provider.js';

/**
 * The experts of one layer that one worker holds, as one graph with a branch per expert (measured to beat a session per
 * expert). Weights are external data relative to the store's directory.
 *
 * Inputs: `rows` fp32 [pairs, hidden], sorted by expert in the order of `expertIds`; `counts` int64 [experts], how many
 * rows each has (zeros allowed, sum = pairs). Output: `out` fp32 [pairs, hidden], not yet weighted.
 */
export function buildExpertShardGraph(
  spec: ModelSpec,
  quantisation: Quantisation,
  layerIndex: number,
  expertIds: readonly number[],
  form = CPU_FORM,
): Uint8Array {
  const graph = new GraphBuilder(`experts-${String(layerIndex)}`, form);
  const rows = graph.input('rows', 'float32', ['pairs', spec.hiddenSize]);
  const counts = graph.input('counts', 'int64', [expertIds.length]);
  const layout = expertLayout(spec, quantisation);
  const parts = graph.opMany('Split', [rows, counts], expertIds.length, { axis: { int: 0 } });
  const outputs = expertIds.map((expertId, index) =>
    gatedMlp(graph, parts[index] ?? '', { path: expertBlobPath(layerIndex, expertId), layout, quantisation }),
  );
  graph.output('out', 'float32', ['pairs', spec.hiddenSize], graph.op('Concat', outputs, { axis: { int: 0 } }));
  return graph.build();
}
