import { join } from 'node:path';
import { headLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { HEAD_BLOB_PATH } from '@expertmesh/shared/expert-store/blob-path';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type KernelPool } from './kernel-pool.js';
import { type Kernels } from './kernels.js';
import { type MappedFile } from './mapped-file.js';
import { guarded, type NativeHandle } from './native-binding.js';

/** Where the head lies. */
export interface StoredHead {
  readonly storeDir: string;
  readonly spec: ModelSpec;
  readonly quantisation: Quantisation;
}

/** The final norm and the language-model head. */
export class Head {
  readonly #handle: NativeHandle<'head'>;
  readonly #file: MappedFile;

  /** @throws ExpertmeshError `not_found` for a missing blob, `invalid_argument` for one that is too short. */
  constructor(kernels: Kernels, { storeDir, spec, quantisation }: StoredHead) {
    const layout = headLayout(spec, quantisation);
    const file = kernels.mapFile(join(storeDir, HEAD_BLOB_PATH));
    this.#file = file;
    this.#handle = guarded(() =>
      kernels.binding.createHead(
        file.fp32(layout, 'final_norm'),
        file.matrix(layout, quantisation, 'lm_head'),
        spec.rmsNormEps,
      ),
    );
  }

  /** Brings the weights into memory ahead of their first use. Errors as MappedFile. */
  prefault(): Promise<void> {
    return this.#file.prefault();
  }

  /**
   * @param hidden fp32 [rows, hidden]
   * @param logits fp32 [rows, vocab], written
   * @throws ExpertmeshError `invalid_argument` for sizes that do not fit.
   */
  async run(pool: KernelPool, hidden: Float32Array, logits: Float32Array): Promise<void> {
    await pool.submit((binding, handle) => binding.runHead(handle, this.#handle, hidden, logits));
  }
}
