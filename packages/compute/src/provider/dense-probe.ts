import { buildHeadGraph, buildPostAttentionGraph, buildQkvGraph } from '@expertmesh/shared/onnx/dense-graph';
import { graphForm, type OnnxProvider } from '@expertmesh/shared/onnx/onnx-provider';
import { createOnnxSession, type OnnxSession, type OnnxTensor } from '@expertmesh/shared/onnx/session';
import { type StoredExperts } from '../experts/expert-runners.js';
import { pseudoRandom, relativeError } from './compare.js';
import { type GraphProbe } from './expert-probe.js';
import { medianMs } from './time-runs.js';

const NUM_ROWS = 4;

/** Has a provider compute the graphs of a coordinator: projections, router and head. */
export async function probeDense(
  model: StoredExperts,
  provider: OnnxProvider,
  numThreads: number,
): Promise<GraphProbe> {
  const expected = await runDense(model, 'cpu', numThreads);
  const actual = await runDense(model, provider, numThreads);
  const errors = actual.results.map((result, index) =>
    relativeError(result, expected.results[index] ?? new Float32Array()),
  );
  return { error: Math.max(...errors), ms: actual.ms };
}

interface DenseRun {
  readonly results: readonly Float32Array[];
  readonly ms: number;
}

async function runDense(model: StoredExperts, provider: OnnxProvider, numThreads: number): Promise<DenseRun> {
  const { dir, spec, quantisation } = model;
  const form = graphForm(provider);
  const load = (graph: Uint8Array): Promise<OnnxSession> =>
    createOnnxSession(graph, { weightsDir: dir, numThreads, provider });
  const qkv = await load(buildQkvGraph(spec, quantisation, 0, form));
  const postAttention = await load(buildPostAttentionGraph(spec, quantisation, 0, form));
  const head = await load(buildHeadGraph(spec, quantisation, form));
  const inputs = probeInputs(model);
  const runLayer = async () => ({
    qkv: await qkv.run(inputs.qkv),
    after: await postAttention.run(inputs.postAttention),
  });
  const { qkv: projected, after } = await runLayer();
  const results = [
    ...['q', 'k', 'v'].map((name) => projected.float32(name)),
    ...['residual', 'normed', 'routing_weights'].map((name) => after.float32(name)),
    (await head.run({ hidden: inputs.qkv.hidden })).float32('logits'),
  ];
  const ms = await medianMs(runLayer);
  for (const session of [qkv, postAttention, head]) await session.release();
  return { results, ms };
}

function probeInputs({ spec }: StoredExperts) {
  const halfDim = spec.headDim / 2;
  const hidden = rows(pseudoRandom(NUM_ROWS * spec.hiddenSize, 1));
  const angles = pseudoRandom(NUM_ROWS * halfDim, 2);
  const rowIndex: OnnxTensor = { type: 'int64', dims: [1, NUM_ROWS], data: BigInt64Array.of(0n, 1n, 2n, 3n) };
  return {
    qkv: { hidden, cos: rows(angles.map(Math.cos)), sin: rows(angles.map(Math.sin)), row_index: rowIndex },
    postAttention: { hidden, context: rows(pseudoRandom(NUM_ROWS * spec.numHeads * spec.headDim, 3)) },
  };
}

const rows = (data: Float32Array): OnnxTensor => ({ type: 'float32', dims: [NUM_ROWS, data.length / NUM_ROWS], data });
