import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildAttentionGraph } from '@expertmesh/shared/onnx/attention-graph';
import { createOnnxSession, type OnnxTensor } from '@expertmesh/shared/onnx/session';
import { pseudoRandom, relativeError } from './compare.js';
import { noContext, type DeviceAttentionSession } from '../attention/device-attention-session.js';

/**
 * How far attention over a cache on the device is from that of the CPU, relatively, for `2 * numRows` rows that attend
 * to each other, in two runs, the second of which reads what the first one left in the cache.
 */
export async function attentionError(
  spec: ModelSpec,
  session: DeviceAttentionSession,
  numRows: number,
  numThreads: number,
): Promise<number> {
  const numTokens = 2 * numRows;
  const qkv = {
    q: rows(pseudoRandom(numTokens * spec.numHeads * spec.headDim, 1), numTokens),
    k: rows(pseudoRandom(numTokens * spec.numKvHeads * spec.headDim, 2), numTokens),
    v: rows(pseudoRandom(numTokens * spec.numKvHeads * spec.headDim, 3), numTokens),
  };
  return relativeError(await onDevice(spec, session, numRows, qkv), await onHost(spec, numThreads, qkv));
}

/** Each fp32 [rows, heads * head_dim]. */
type Qkv = Readonly<Record<'q' | 'k' | 'v', HostRows>>;
type HostRows = Extract<OnnxTensor, { type: 'float32' }>;

async function onDevice(
  spec: ModelSpec,
  session: DeviceAttentionSession,
  numRows: number,
  qkv: Qkv,
): Promise<Float32Array> {
  const numTokens = 2 * numRows;
  const [keys, values] = [await session.allocateCache(numTokens), await session.allocateCache(numTokens)];
  const caches = { ...qkv, keys, values };
  const run = async (firstRow: number, endRow: number, contextBefore: OnnxTensor): Promise<HostRows> => {
    const outputs = await session.attend({ ...caches, firstRow, endRow, numTokens: endRow, contextBefore });
    return rows(outputs.float32('context'), endRow);
  };
  try {
    return (await run(numRows, numTokens, await run(0, numRows, noContext(spec)))).data;
  } finally {
    keys.release();
    values.release();
  }
}

async function onHost(spec: ModelSpec, numThreads: number, { q, k, v }: Qkv): Promise<Float32Array> {
  const numTokens = q.dims[0] ?? 0;
  const mask = new Float32Array(numTokens * numTokens);
  for (let row = 0; row < numTokens; row++) mask.fill(-Infinity, row * numTokens + row + 1, (row + 1) * numTokens);
  const session = await createOnnxSession(buildAttentionGraph(spec), { numThreads });
  const inputs = { q, keys: headMajor(k, spec), values: headMajor(v, spec), mask: rows(mask, numTokens) };
  const outputs = await session.run(inputs);
  await session.release();
  return outputs.float32('context');
}

/** fp32 [rows, kv heads * head_dim] as [kv heads, rows, head_dim]. */
function headMajor(tokens: HostRows, { numKvHeads, headDim }: ModelSpec): OnnxTensor {
  const numTokens = tokens.dims[0] ?? 0;
  const data = new Float32Array(tokens.data.length);
  for (let row = 0; row < numTokens; row++)
    for (let head = 0; head < numKvHeads; head++) {
      const from = (row * numKvHeads + head) * headDim;
      data.set(tokens.data.subarray(from, from + headDim), (head * numTokens + row) * headDim);
    }
  return { type: 'float32', dims: [numKvHeads, numTokens, headDim], data };
}

const rows = (data: Float32Array, numRows: number): HostRows => ({
  type: 'float32',
  dims: [numRows, data.length / numRows],
  data,
});
