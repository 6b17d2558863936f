import { type KernelPool } from './kernel-pool.js';
import { type Kernels } from './kernels.js';
import { guarded, type NativeHandle, type NativeMatrix } from './native-binding.js';

/** One matrix [out, in] of the store. */
export class Linear {
  readonly #handle: NativeHandle<'linear'>;

  /** @throws ExpertmeshError `invalid_argument` unless the matrix lies in its file. */
  constructor(kernels: Kernels, matrix: NativeMatrix) {
    this.#handle = guarded(() => kernels.binding.createLinear(matrix));
  }

  /**
   * y = x times the transposed matrix.
   *
   * @param x fp32 [rows, in]
   * @param y fp32 [rows, out], written
   * @throws ExpertmeshError `invalid_argument` for sizes that do not fit.
   */
  async run(pool: KernelPool, x: Float32Array, y: Float32Array): Promise<void> {
    await pool.submit((binding, handle) => binding.runLinear(handle, this.#handle, x, y));
  }
}
