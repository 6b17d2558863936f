import { type ModelSpec } from '../model/model-spec.js';
import { GraphBuilder, MICROSOFT_DOMAIN, type Value } from './graph-builder.js';

/**
 * Attention of some rows of a step over the KV cache of their sequence, where both are in a GPU's memory.
 * GroupQueryAttention writes the rows' keys and values into the cache itself: `present_key` and `present_value` are to
 * be given the same memory as `past_key` and `past_value`. It has no weights, so one session serves every layer.
 *
 * Inputs: `q` fp32 [step rows, heads * head_dim], `k` and `v` fp32 [step rows, kv heads * head_dim]; `first_row` and
 * `end_row` int64 [1], the rows to compute, which follow each other in one sequence; `past_key` and `past_value` fp32
 * [1, kv heads, capacity, head_dim]; `last_position` int32 [1], that of the last of the rows; `num_tokens` int32 [1],
 * one more; `context_before` fp32 [rows before, heads * head_dim], the answers for the rows before (perhaps none).
 * Outputs: `context` fp32 [end_row, heads * head_dim], `context_before` with the new rows behind; the two caches.
 */
export function buildDeviceAttentionGraph(spec: ModelSpec): Uint8Array {
  const graph = new GraphBuilder('device-attention');
  const { numHeads, numKvHeads, headDim } = spec;
  const qSize = numHeads * headDim;
  const kvSize = numKvHeads * headDim;
  const cacheDims = [1, numKvHeads, 'capacity', headDim];
  const rowsOf = (name: string, size: number): Value => graph.input(name, 'float32', ['step_rows', size]);
  const [q, k, v] = [rowsOf('q', qSize), rowsOf('k', kvSize), rowsOf('v', kvSize)];
  const firstRow = graph.input('first_row', 'int64', [1]);
  const endRow = graph.input('end_row', 'int64', [1]);
  const pastKey = graph.input('past_key', 'float32', cacheDims);
  const pastValue = graph.input('past_value', 'float32', cacheDims);
  const lastPosition = graph.input('last_position', 'int32', [1]);
  const numTokens = graph.input('num_tokens', 'int32', [1]);
  const contextBefore = graph.input('context_before', 'float32', ['rows_before', qSize]);

  const own = (x: Value, size: number): Value =>
    graph.op('Reshape', [graph.op('Slice', [x, firstRow, endRow, graph.ints([0])]), graph.ints([1, -1, size])]);
  const [context = '', presentKey = '', presentValue = ''] = graph.opMany(
    'GroupQueryAttention',
    [own(q, qSize), own(k, kvSize), own(v, kvSize), pastKey, pastValue, lastPosition, numTokens],
    3,
    { num_heads: { int: numHeads }, kv_num_heads: { int: numKvHeads } },
    MICROSOFT_DOMAIN,
  );
  const rows = graph.op('Reshape', [context, graph.ints([-1, qSize])]);
  graph.output('context', 'float32', ['rows', qSize], graph.op('Concat', [contextBefore, rows], { axis: { int: 0 } }));
  graph.output('present_key', 'float32', cacheDims, presentKey);
  graph.output('present_value', 'float32', cacheDims, presentValue);
  return graph.build();
}

/**
 * Makes a tensor of zeros in a GPU's memory. Inputs: `zero` fp32 [1]; `shape` int64 [4]. Output: `zeros` fp32 of that
 * shape. (ConstantOfShape would compute it on the CPU and send it.)
 */
export function buildDeviceZerosGraph(): Uint8Array {
  const graph = new GraphBuilder('device-zeros');
  const zero = graph.input('zero', 'float32', [1]);
  const shape = graph.input('shape', 'int64', [4]);
  graph.output('zeros', 'float32', ['a', 'b', 'c', 'd'], graph.op('Expand', [zero, shape]));
  return graph.build();
}
