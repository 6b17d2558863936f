import { quantisedName, scalesName, type BlobLayout, type StoredTensor } from '../expert-store/blob-layout.js';
import { type Quantisation } from '../expert-store/quantisation.js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { MICROSOFT_DOMAIN, type GraphBuilder, type Value } from './graph-builder.js';

/** One blob of the store, as graph builders need it. */
export interface Blob {
  /** Relative to the store's directory. */
  readonly path: string;
  readonly layout: BlobLayout;
  readonly quantisation: Quantisation;
}

/**
 * MatMulNBits' names for what activations are rounded to. The rounding error of 4-bit weights is larger by far than
 * that of int8 activations; with 8 bits the two are alike, see docs/performance.md.
 */
const ACCURACY_LEVELS = { fp32: 1, int8: 4 } as const;

/** x [rows, in] times the transposed matrix `name` [out, in] of the blob: [rows, out]. */
export function linear(graph: GraphBuilder, x: Value, blob: Blob, name: string): Value {
  const { quantisation } = blob;
  switch (quantisation.bits) {
    case 32:
      return graph.op('Gemm', [x, fp32(graph, blob, name)], { transB: { int: 1 } });
    case 16: {
      const weight = graph.stored(storedTensor(blob, name), blob.path);
      return graph.op('Gemm', [x, graph.op('Cast', [weight], { to: { int: 1 } })], { transB: { int: 1 } });
    }
    case 8:
    case 4: {
      const q = storedTensor(blob, quantisedName(name));
      const [out = 0, numBlocks = 0] = q.shape;
      const inputs = [x, graph.stored(q, blob.path), fp32(graph, blob, scalesName(name))];
      return graph.op(
        'MatMulNBits',
        inputs,
        {
          K: { int: numBlocks * quantisation.blockSize },
          N: { int: out },
          bits: { int: quantisation.bits },
          block_size: { int: quantisation.blockSize },
          accuracy_level: { int: ACCURACY_LEVELS[graph.form.activations] },
        },
        MICROSOFT_DOMAIN,
      );
    }
  }
}

/** As `linear`, plus the vector `biasName` where the blob has one. */
export function linearWithBias(graph: GraphBuilder, x: Value, blob: Blob, name: string, biasName: string): Value {
  const product = linear(graph, x, blob, name);
  const hasBias = blob.layout.tensors.some((tensor) => tensor.name === biasName);
  return hasBias ? graph.op('Add', [product, fp32(graph, blob, biasName)]) : product;
}

/** An fp32 tensor of the blob. */
export function fp32(graph: GraphBuilder, blob: Blob, name: string): Value {
  return graph.stored(storedTensor(blob, name), blob.path);
}

/** Root mean square normalisation over the last axis, scaled by the vector `name`. */
export function rmsNorm(graph: GraphBuilder, x: Value, blob: Blob, name: string, epsilon: number): Value {
  return graph.op('SimplifiedLayerNormalization', [x, fp32(graph, blob, name)], {
    axis: { int: -1 },
    epsilon: { float: epsilon },
  });
}

/**
 * The gated MLP of an expert or of a layer without experts: down(silu(gate(x)) * up(x)), `gate_up` being one matrix.
 */
export function gatedMlp(graph: GraphBuilder, x: Value, blob: Blob): Value {
  const gateUp = linear(graph, x, blob, 'gate_up');
  const [gate = '', up = ''] = graph.opMany('Split', [gateUp], 2, { axis: { int: 1 }, num_outputs: { int: 2 } });
  const silu = graph.op('QuickGelu', [gate], { alpha: { float: 1 } }, MICROSOFT_DOMAIN);
  return linear(graph, graph.op('Mul', [silu, up]), blob, 'down');
}

function storedTensor(blob: Blob, name: string): StoredTensor {
  const tensor = blob.layout.tensors.find((candidate) => candidate.name === name);
  if (tensor === undefined) throw new ExpertmeshError('internal', `${blob.path} has no tensor ${name}`);
  return tensor;
}
