import { type KernelPool, type KernelPoolOptions } from '@expertmesh/kernels/kernel-pool';
import { loadKernels, whyNoKernels, type Kernels } from '@expertmesh/kernels/kernels';
import { hasKernelsFor } from '@expertmesh/kernels/mapped-file';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type IsaChoice } from '@expertmesh/shared/config/kernel-isa';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { type OnnxProvider } from '@expertmesh/shared/onnx/onnx-provider';

/** What a thread computes with: threads of our own kernels, or sessions of ONNX Runtime. */
export type ComputeBackend =
  | { readonly kind: 'native'; readonly kernels: Kernels; readonly pool: KernelPool }
  | { readonly kind: 'onnx'; readonly provider: OnnxProvider; readonly numThreads: number };

/**
 * isBlocking and numerics mean nothing to ONNX Runtime, which blocks the thread that computes, and whose products may
 * depend on the rows beside a row.
 */
export interface NativePoolOptions extends Pick<KernelPoolOptions, 'isBlocking' | 'numerics'> {
  readonly isa?: IsaChoice;
}

/**
 * To be called in the thread that will compute.
 *
 * @throws ExpertmeshError `failed_precondition` for native kernels that were not built or cannot read the store;
 * `invalid_argument` for an instruction set that this CPU lacks, or that ONNX Runtime is to use.
 */
export function createComputeBackend(
  provider: Provider,
  quantisation: Quantisation,
  numThreads: number,
  { isa = 'auto', ...options }: NativePoolOptions = {},
): ComputeBackend {
  if (provider !== 'native' && isa !== 'auto')
    throw new ExpertmeshError('invalid_argument', `--isa ${isa} is of the native kernels, but --ep is ${provider}`);
  if (provider !== 'native') return { kind: 'onnx', provider, numThreads };
  const kernels = loadKernels();
  const reason = whyNotNative(quantisation);
  if (kernels !== undefined && reason === undefined)
    return {
      kind: 'native',
      kernels,
      pool: kernels.createPool({ numThreads, ...options, ...(isa !== 'auto' && { isa }) }),
    };
  throw new ExpertmeshError('failed_precondition', `--ep native: ${reason ?? 'no kernels'}; or use --ep cpu`);
}

/** Ends the threads after the calls that were submitted. */
export async function closeComputeBackend(backend: ComputeBackend): Promise<void> {
  if (backend.kind === 'native') await backend.pool.close();
}

/** Why the native kernels cannot compute such weights, or undefined where they can. */
export function whyNotNative(quantisation: Quantisation): string | undefined {
  if (loadKernels() === undefined) return whyNoKernels() ?? 'no kernels';
  if (!hasKernelsFor(quantisation))
    return `there are no kernels for ${String(quantisation.bits)} bits: pack with 4, 8 or 32 bits`;
  return undefined;
}
