import { join } from 'node:path';
import { expertLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { expertBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type KernelPool } from './kernel-pool.js';
import { type Kernels } from './kernels.js';
import { type MappedFile } from './mapped-file.js';
import { guarded, type NativeHandle } from './native-binding.js';

/** Where the experts of a layer lie. */
export interface StoredExperts {
  readonly storeDir: string;
  readonly spec: ModelSpec;
  readonly quantisation: Quantisation;
  readonly layerIndex: number;
  /** Logical ids; a pair names an expert by its position here. */
  readonly expertIds: readonly number[];
}

export interface ExpertCall {
  /** fp32 [rows, hidden] */
  readonly rows: Float32Array;
  /** [pairs] Row of each pair. */
  readonly pairRows: Uint32Array;
  /** [pairs] Position of each pair's expert in `expertIds`, ascending. */
  readonly pairExperts: Uint32Array;
  /** fp32 [pairs] */
  readonly pairWeights: Float32Array;
  /** fp32 [rows, hidden], written: zero for rows without pairs. */
  readonly out: Float32Array;
  /** Absent where sums are rounded as they come. */
  readonly exact?: ExactSums;
}

/**
 * Terms are rounded to multiples of their row's unit, so that a sum's bits do not depend on how its terms are grouped.
 */
export interface ExactSums {
  /** fp32 [rows], each a power of two. */
  readonly units: Float32Array;
  /** fp32 [rows, hidden], written where a term is too large for its unit: the high parts, which belong to `out`. */
  readonly high: Float32Array;
}

/** Some experts of one layer. Rows of the same expert share one reading of its weights. */
export class ExpertLayer {
  readonly handle: NativeHandle<'experts'>;
  readonly #files: readonly MappedFile[];

  /** @throws ExpertmeshError `not_found` for a missing blob, `invalid_argument` for one that is too short. */
  constructor(kernels: Kernels, { storeDir, spec, quantisation, layerIndex, expertIds }: StoredExperts) {
    const layout = expertLayout(spec, quantisation);
    this.#files = expertIds.map((expertId) => kernels.mapFile(join(storeDir, expertBlobPath(layerIndex, expertId))));
    const experts = this.#files.map((file) => ({
      gateUp: file.matrix(layout, quantisation, 'gate_up'),
      down: file.matrix(layout, quantisation, 'down'),
    }));
    this.handle = guarded(() => kernels.binding.createExpertLayer(experts));
  }

  /** Brings the weights into memory ahead of their first use. Errors as MappedFile. */
  async prefault(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.prefault()));
  }

  /**
   * out[row] = sum over the row's pairs of weight * down(silu(gate(x)) * up(x)), in the order of the pairs, whatever
   * the number of threads.
   *
   * @returns whether `exact.high` has been written, for all rows
   * @throws ExpertmeshError `invalid_argument` for sizes that do not fit, indices out of range or pairs that are not
   * sorted.
   */
  async run(pool: KernelPool, call: ExpertCall): Promise<boolean> {
    const { rows, pairRows, pairExperts, pairWeights, out, exact = NO_EXACT_SUMS } = call;
    const hasHigh = await pool.submit((binding, handle) =>
      binding.runExperts(
        ...([handle, this.handle, rows, pairRows, pairExperts, pairWeights, out] as const),
        ...([exact.units, exact.high] as const),
      ),
    );
    return hasHigh !== 0;
  }
}

const NO_EXACT_SUMS: ExactSums = { units: new Float32Array(), high: new Float32Array() };
