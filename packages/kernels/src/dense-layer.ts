import { join } from 'node:path';
import { denseLayerLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { denseLayerBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type KernelPool } from './kernel-pool.js';
import { type Kernels } from './kernels.js';
import { flatSequences, type KvPool, type SequenceRows } from './kv-pool.js';
import { type MappedFile } from './mapped-file.js';
import { guarded, type NativeHandle } from './native-binding.js';

/** Where the dense part of a layer lies. */
export interface StoredDenseLayer {
  readonly storeDir: string;
  readonly spec: ModelSpec;
  readonly quantisation: Quantisation;
  readonly layerIndex: number;
}

export interface DenseCall {
  /** fp32 [rows, hidden] */
  readonly hidden: Float32Array;
  /** fp32 [rows, head_dim / 2], of each row's position */
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly kv: KvPool;
  /** In the order of the rows. */
  readonly sequences: readonly SequenceRows[];
  /** fp32 [rows, hidden], written: the hidden state so far; where there are experts, their sum is still to be added. */
  readonly residual: Float32Array;
  /** Absent in a layer without experts. */
  readonly routed?: RoutedOutputs;
}

/** Written. */
export interface RoutedOutputs {
  /** fp32 [rows, hidden]: what the experts read. */
  readonly normed: Float32Array;
  /** [rows, top-k] by descending weight */
  readonly expertIds: Int32Array;
  /** fp32 [rows, top-k] */
  readonly routingWeights: Float32Array;
  /** fp32 [experts]: the softmax over all experts, summed over the rows */
  readonly probabilitySums: Float32Array;
}

const NO_FLOATS = new Float32Array();
const NO_INTS = new Int32Array();

/**
 * Everything of a layer but its experts, in one call: norms, projections, rotary embedding, attention, router or MLP.
 */
export class DenseLayer {
  readonly handle: NativeHandle<'dense'>;
  readonly #file: MappedFile;

  /** @throws ExpertmeshError `not_found` for a missing blob, `invalid_argument` for one that is too short. */
  constructor(kernels: Kernels, { storeDir, spec, quantisation, layerIndex }: StoredDenseLayer) {
    const layout = denseLayerLayout(spec, quantisation, layerIndex);
    const file = kernels.mapFile(join(storeDir, denseLayerBlobPath(layerIndex)));
    const isMoe = spec.layerKinds[layerIndex] === 'moe';
    this.#file = file;
    this.handle = guarded(() =>
      kernels.binding.createDenseLayer({
        ...spec,
        layerIndex,
        inputNorm: file.fp32(layout, 'input_norm'),
        qkv: file.matrix(layout, quantisation, 'qkv'),
        qkvBias: file.optionalFp32(layout, 'qkv_bias'),
        qNorm: file.fp32(layout, 'q_norm'),
        kNorm: file.fp32(layout, 'k_norm'),
        o: file.matrix(layout, quantisation, 'o'),
        oBias: file.optionalFp32(layout, 'o_bias'),
        postNorm: file.fp32(layout, 'post_norm'),
        router: isMoe ? file.fp32(layout, 'router') : undefined,
        gateUp: isMoe ? undefined : file.matrix(layout, quantisation, 'gate_up'),
        down: isMoe ? undefined : file.matrix(layout, quantisation, 'down'),
      }),
    );
  }

  /** Brings the weights into memory ahead of their first use. Errors as MappedFile. */
  prefault(): Promise<void> {
    return this.#file.prefault();
  }

  /**
   * @throws ExpertmeshError `invalid_argument` for sizes that do not fit, blocks that are not there, too few of them,
   * and one written twice.
   */
  async run(pool: KernelPool, { hidden, cos, sin, kv, sequences, residual, routed }: DenseCall): Promise<void> {
    const flat = flatSequences(sequences);
    const normed = routed?.normed ?? NO_FLOATS;
    const expertIds = routed?.expertIds ?? NO_INTS;
    const weights = routed?.routingWeights ?? NO_FLOATS;
    const sums = routed?.probabilitySums ?? NO_FLOATS;
    await pool.submit((binding, handle) =>
      binding.runDense(
        ...([handle, this.handle, hidden, cos, sin, kv.handle, flat] as const),
        ...([residual, normed, expertIds, weights, sums] as const),
      ),
    );
  }
}
