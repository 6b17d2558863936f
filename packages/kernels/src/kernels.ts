import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { KERNEL_ISAS, type KernelIsa } from '@expertmesh/shared/config/kernel-isa';
import { KernelPool, type KernelPoolOptions } from './kernel-pool.js';
import { MappedFile } from './mapped-file.js';
import { guarded, loadBinding, type NativeBinding } from './native-binding.js';

/** The addon, loaded. Its objects belong to the JavaScript thread that made them. */
export class Kernels {
  readonly binding: NativeBinding;
  /** Those that this CPU can run, best first. */
  readonly isas: readonly KernelIsa[];

  constructor(binding: NativeBinding) {
    this.binding = binding;
    this.isas = KERNEL_ISAS.filter((isa) => binding.isas().includes(isa));
  }

  /** @throws ExpertmeshError `invalid_argument` for an instruction set that this CPU lacks. */
  createPool(options: KernelPoolOptions): KernelPool {
    const { isa = this.isas[0] ?? 'portable' } = options;
    return new KernelPool(this.binding, { ...options, isa });
  }

  /** How many of the bytes lie before the first border of 64, where vectors do not cross cache lines. */
  bytesToBorder(bytes: Uint8Array): number {
    return this.binding.bytesToBorder(bytes);
  }

  /** CRC-32C as shared/src/rpc/crc32c.ts has it, by the CPU's own instruction. */
  crc32c(bytes: Uint8Array): number {
    return this.binding.crc32c(bytes);
  }

  /**
   * Maps a blob of the store. Its bytes are read when they are first used, or prefaulted.
   *
   * @throws ExpertmeshError `not_found` when the file cannot be read.
   */
  mapFile(path: string): MappedFile {
    try {
      return new MappedFile(this.binding, path);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new ExpertmeshError('not_found', `cannot map ${message}`, { cause });
    }
  }
}

type Loaded = { readonly kernels: Kernels } | { readonly reason: string };
let loaded: Loaded | undefined;

/** The kernels, or undefined where they were not built: then `whyNoKernels` tells, and ONNX Runtime does the work. */
export function loadKernels(): Kernels | undefined {
  loaded ??= tryLoading();
  return 'kernels' in loaded ? loaded.kernels : undefined;
}

/** Why `loadKernels` gives nothing, or undefined where it gives something. */
export function whyNoKernels(): string | undefined {
  loaded ??= tryLoading();
  return 'reason' in loaded ? loaded.reason : undefined;
}

function tryLoading(): Loaded {
  try {
    return { kernels: guarded(() => new Kernels(loadBinding())) };
  } catch (cause) {
    const message = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0] ?? '';
    return {
      reason: `the native kernels are not built ("npm run build" builds them where a C++ compiler is): ${message}`,
    };
  }
}
