import { denseLayerLayout, headLayout } from '../expert-store/blob-layout.js';
import { denseLayerBlobPath, HEAD_BLOB_PATH } from '../expert-store/blob-path.js';
import { type Quantisation } from '../expert-store/quantisation.js';
import { type ModelSpec } from '../model/model-spec.js';
import { GraphBuilder, MICROSOFT_DOMAIN, type Value } from './graph-builder.js';
import { fp32, gatedMlp, linear, linearWithBias, rmsNorm, type Blob } from './linear-op.js';
import { CPU_FORM } from './onnx-provider.js';

/**
 * The part of a layer before attention: norm, fused QKV projection, per-head q and k norm, rotary embedding.
 *
 * Inputs: `hidden` fp32 [rows, hidden]; `cos` and `sin` fp32 [rows, head_dim / 2], of each row's position; `row_index`
 * int64 [1, rows] = 0, 1, 2, .... Outputs: `q` fp32 [rows, heads * head_dim], `k` and `v` fp32 [rows, kv heads *
 * head_dim].
 */
export function buildQkvGraph(
  spec: ModelSpec,
  quantisation: Quantisation,
  layerIndex: number,
  form = CPU_FORM,
): Uint8Array {
  const graph = new GraphBuilder(`qkv-${String(layerIndex)}`, form);
  const blob = denseBlob(spec, quantisation, layerIndex);
  const qSize = spec.numHeads * spec.headDim;
  const kvSize = spec.numKvHeads * spec.headDim;
  const hidden = graph.input('hidden', 'float32', ['rows', spec.hiddenSize]);
  const rotary = {
    cos: graph.input('cos', 'float32', ['rows', spec.headDim / 2]),
    sin: graph.input('sin', 'float32', ['rows', spec.headDim / 2]),
    rowIndex: graph.input('row_index', 'int64', [1, 'rows']),
  };
  const normed = rmsNorm(graph, hidden, blob, 'input_norm', spec.rmsNormEps);
  const qkv = linearWithBias(graph, normed, blob, 'qkv', 'qkv_bias');
  const [q = '', k = '', v = ''] = graph.opMany('Split', [qkv, graph.ints([qSize, kvSize, kvSize])], 3, {
    axis: { int: 1 },
  });
  const rotated = (x: Value, normName: string, size: number): Value =>
    rotate(graph, spec, normPerHead(graph, spec, blob, x, normName), rotary, size);
  graph.output('q', 'float32', ['rows', qSize], rotated(q, 'q_norm', qSize));
  graph.output('k', 'float32', ['rows', kvSize], rotated(k, 'k_norm', kvSize));
  graph.output('v', 'float32', ['rows', kvSize], v);
  return graph.build();
}

/**
 * The part of a layer after attention: output projection, residual, norm; then the router, or the MLP of a layer
 * without experts.
 *
 * Inputs: `hidden` fp32 [rows, hidden] as before the layer; `context` fp32 [rows, heads * head_dim]. Outputs:
 * `residual` fp32 [rows, hidden]; in a layer with experts also `normed` fp32 [rows, hidden] (what the experts read),
 * `expert_ids` int32 [rows, top-k] by descending weight, `routing_weights` fp32 [rows, top-k] (softmax over all experts
 * in fp32, then top-k, then scaled to sum 1 where norm_topk_prob), and `probability_sums` fp32 [experts], that softmax
 * summed over the rows.
 */
export function buildPostAttentionGraph(
  spec: ModelSpec,
  quantisation: Quantisation,
  layerIndex: number,
  form = CPU_FORM,
): Uint8Array {
  const graph = new GraphBuilder(`post-attention-${String(layerIndex)}`, form);
  const blob = denseBlob(spec, quantisation, layerIndex);
  const hidden = graph.input('hidden', 'float32', ['rows', spec.hiddenSize]);
  const context = graph.input('context', 'float32', ['rows', spec.numHeads * spec.headDim]);
  const residual = graph.op('Add', [hidden, linearWithBias(graph, context, blob, 'o', 'o_bias')]);
  const normed = rmsNorm(graph, residual, blob, 'post_norm', spec.rmsNormEps);
  const hiddenDims = ['rows', spec.hiddenSize];
  if (spec.layerKinds[layerIndex] === 'mlp') {
    const out = graph.op('Add', [residual, gatedMlp(graph, normed, blob)]);
    graph.output('residual', 'float32', hiddenDims, out);
    return graph.build();
  }
  const { weights, ids, probabilities } = route(graph, spec, blob, normed);
  graph.output('residual', 'float32', hiddenDims, residual);
  graph.output('normed', 'float32', hiddenDims, normed);
  graph.output('routing_weights', 'float32', ['rows', spec.topK], weights);
  graph.output('expert_ids', 'int32', ['rows', spec.topK], ids);
  const sums = graph.op('ReduceSum', [probabilities, graph.ints([0])], { keepdims: { int: 0 } });
  graph.output('probability_sums', 'float32', [spec.numExperts], sums);
  return graph.build();
}

/** Final norm and language-model head. Input: `hidden` fp32 [rows, hidden]. Output: `logits` fp32 [rows, vocab]. */
export function buildHeadGraph(spec: ModelSpec, quantisation: Quantisation, form = CPU_FORM): Uint8Array {
  const graph = new GraphBuilder('head', form);
  const blob: Blob = { path: HEAD_BLOB_PATH, layout: headLayout(spec, quantisation), quantisation };
  const hidden = graph.input('hidden', 'float32', ['rows', spec.hiddenSize]);
  const normed = rmsNorm(graph, hidden, blob, 'final_norm', spec.rmsNormEps);
  graph.output('logits', 'float32', ['rows', spec.vocabSize], linear(graph, normed, blob, 'lm_head'));
  return graph.build();
}

const denseBlob = (spec: ModelSpec, quantisation: Quantisation, layerIndex: number): Blob => ({
  path: denseLayerBlobPath(layerIndex),
  layout: denseLayerLayout(spec, quantisation, layerIndex),
  quantisation,
});

// [rows, heads * head_dim] -> [rows * heads, head_dim], each head normed on its own.
function normPerHead(graph: GraphBuilder, spec: ModelSpec, blob: Blob, x: Value, normName: string): Value {
  const perHead = graph.op('Reshape', [x, graph.ints([-1, spec.headDim])]);
  return rmsNorm(graph, perHead, blob, normName, spec.rmsNormEps);
}

interface Rotary {
  readonly cos: Value;
  readonly sin: Value;
  readonly rowIndex: Value;
}

// The caches hold one row per token instead of one per position, so the position of row r in them is r.
function rotate(graph: GraphBuilder, spec: ModelSpec, perHead: Value, rotary: Rotary, size: number): Value {
  const sequence = graph.op('Reshape', [perHead, graph.ints([1, -1, size])]);
  const rotated = graph.op(
    'RotaryEmbedding',
    [sequence, rotary.rowIndex, rotary.cos, rotary.sin],
    { interleaved: { int: 0 } },
    MICROSOFT_DOMAIN,
  );
  return graph.op('Reshape', [rotated, graph.ints([-1, size])]);
}

interface Routing {
  readonly weights: Value;
  readonly ids: Value;
  /** [rows, experts] */
  readonly probabilities: Value;
}

function route(graph: GraphBuilder, spec: ModelSpec, blob: Blob, normed: Value): Routing {
  const logits = graph.op('Gemm', [normed, fp32(graph, blob, 'router')], { transB: { int: 1 } });
  const probabilities = graph.op('Softmax', [logits], { axis: { int: -1 } });
  const [top = '', ids = ''] = graph.opMany('TopK', [probabilities, graph.ints([spec.topK])], 2, {
    axis: { int: -1 },
    largest: { int: 1 },
    sorted: { int: 1 },
  });
  const ids32 = graph.op('Cast', [ids], { to: { int: 6 } });
  if (!spec.normTopkProb) return { weights: top, ids: ids32, probabilities };
  const sum = graph.op('ReduceSum', [top, graph.ints([-1])], { keepdims: { int: 1 } });
  return { weights: graph.op('Div', [top, sum]), ids: ids32, probabilities };
}
