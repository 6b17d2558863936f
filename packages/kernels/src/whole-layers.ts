import { type DenseLayer } from './dense-layer.js';
import { type ExpertLayer } from './expert-layer.js';
import { type KernelPool } from './kernel-pool.js';
import { flatSequences, type KvPool, type SequenceRows } from './kv-pool.js';

/** A layer of which everything is here. */
export interface WholeLayer {
  readonly dense: DenseLayer;
  /** All of the layer's experts, in the order of their ids; absent in a layer without experts. */
  readonly experts: ExpertLayer | undefined;
}

export interface WholeLayersCall {
  readonly layers: readonly WholeLayer[];
  readonly kv: KvPool;
  /** In the order of the rows. */
  readonly sequences: readonly SequenceRows[];
  /** fp32 [rows, hidden], read and written: the hidden state before the first layer, and behind the last one. */
  readonly hidden: Float32Array;
  /** fp32 [rows, head_dim / 2], of each row's position */
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  /** fp32 [rows, hidden] each, overwritten layer by layer. */
  readonly residual: Float32Array;
  readonly normed: Float32Array;
  readonly routes: WholeLayersRoutes;
  /** Whether experts' terms are rounded to a unit of their row, as workers do for `sumUnits`. */
  readonly areSumsExact: boolean;
}

/** Written, of the layers that have experts. */
export interface WholeLayersRoutes {
  /** [layers, rows, top-k] */
  readonly expertIds: Int32Array;
  /** fp32 [layers, rows, top-k] */
  readonly routingWeights: Float32Array;
  /** fp32 [layers, experts]: the softmax over all experts, summed over the rows */
  readonly probabilitySums: Float32Array;
}

/** Of the layers that have experts. */
export interface WholeLayersSeconds {
  readonly dense: number;
  readonly experts: number;
}

/**
 * Layer after layer in one call of the pool, so that between dense parts and experts no thread waits for another. The
 * same bits as call by call.
 *
 * @throws ExpertmeshError `invalid_argument` as DenseLayer.run, and for layers that lack an expert.
 */
export async function runWholeLayers(pool: KernelPool, call: WholeLayersCall): Promise<WholeLayersSeconds> {
  const { layers, kv, sequences, hidden, cos, sin, residual, normed, routes, areSumsExact } = call;
  const { expertIds, routingWeights, probabilitySums } = routes;
  const flat = layers.flatMap(({ dense, experts }) => [dense.handle, experts?.handle]);
  const seconds = new Float64Array(2);
  await pool.submit((binding, handle) =>
    binding.runWholeLayers(
      ...([handle, flat, hidden, cos, sin, kv.handle, flatSequences(sequences)] as const),
      ...([residual, normed, expertIds, routingWeights, probabilitySums, seconds, areSumsExact] as const),
    ),
  );
  return { dense: seconds[0] ?? 0, experts: seconds[1] ?? 0 };
}
