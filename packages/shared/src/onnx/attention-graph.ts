import { type ModelSpec } from '../model/model-spec.js';
import { GraphBuilder, MICROSOFT_DOMAIN } from './graph-builder.js';

/**
 * Grouped-query attention of one sequence's new tokens over its KV cache. It has no weights, so one session serves
 * every layer.
 *
 * Inputs: `q` fp32 [rows, heads * head_dim]; `keys` and `values` fp32 [kv heads, capacity, head_dim], the cache itself,
 * the new tokens included; `mask` fp32 [rows, capacity], 0 where a row may look and -Infinity where it may not (later
 * tokens, unused capacity). Output: `context` fp32 [rows, heads * head_dim].
 */
export function buildAttentionGraph(spec: ModelSpec): Uint8Array {
  const graph = new GraphBuilder('attention');
  const { numHeads, numKvHeads, headDim } = spec;
  const groupSize = numHeads / numKvHeads;
  const q = graph.input('q', 'float32', ['rows', numHeads * headDim]);
  const keys = graph.input('keys', 'float32', [numKvHeads, 'capacity', headDim]);
  const values = graph.input('values', 'float32', [numKvHeads, 'capacity', headDim]);
  const mask = graph.input('mask', 'float32', ['rows', 'capacity']);

  // [rows, kv, group, d] -> [kv, group, rows, d]: all queries that share a KV head become the rows of one product.
  const perHead = graph.op('Reshape', [q, graph.ints([-1, numKvHeads, groupSize, headDim])]);
  const grouped = graph.op('Transpose', [perHead], { perm: { ints: [1, 2, 0, 3] } });
  const queries = graph.op('Reshape', [grouped, graph.ints([numKvHeads, -1, headDim])]);
  const scores = graph.op(
    'FusedMatMul',
    [queries, keys],
    { transB: { int: 1 }, alpha: { float: 1 / Math.sqrt(headDim) } },
    MICROSOFT_DOMAIN,
  );
  const capacity = graph.op('Shape', [keys], { start: { int: 1 }, end: { int: 2 } });
  const scoresShape = graph.op('Concat', [graph.ints([numKvHeads, groupSize, -1]), capacity], { axis: { int: 0 } });
  const masked = graph.op('Add', [graph.op('Reshape', [scores, scoresShape]), mask]);
  const probabilities = graph.op('Softmax', [masked], { axis: { int: -1 } });
  const flatShape = graph.op('Concat', [graph.ints([numKvHeads, -1]), capacity], { axis: { int: 0 } });
  const mixed = graph.op('MatMul', [graph.op('Reshape', [probabilities, flatShape]), values]);

  const ungrouped = graph.op('Reshape', [mixed, graph.ints([numKvHeads, groupSize, -1, headDim])]);
  const perRow = graph.op('Transpose', [ungrouped], { perm: { ints: [2, 0, 1, 3] } });
  const context = graph.op('Reshape', [perRow, graph.ints([-1, numHeads * headDim])]);
  graph.output('context', 'float32', ['rows', numHeads * headDim], context);
  return graph.build();
}
