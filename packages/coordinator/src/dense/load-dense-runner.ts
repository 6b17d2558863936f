import { type ComputeBackend } from '@expertmesh/compute/compute-backend';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type DenseLoadOptions, type DenseRunner } from './dense-runner.js';
import { NativeDenseRunner } from './native-dense-runner.js';
import { OnnxDenseRunner } from './onnx-dense-runner.js';

/**
 * Verifies and loads everything of a model but its experts.
 *
 * @throws ExpertmeshError `not_found` or `data_loss` for a blob that is missing or not what the manifest says,
 * `cancelled` after an abort, `internal` when ONNX Runtime refuses it.
 */
export function loadDenseRunner(
  store: ExpertStore,
  backend: ComputeBackend,
  options: DenseLoadOptions,
): Promise<DenseRunner> {
  switch (backend.kind) {
    case 'native':
      return NativeDenseRunner.load(store, backend.kernels, backend.pool, options);
    case 'onnx':
      return OnnxDenseRunner.load(store, backend, options);
  }
}
