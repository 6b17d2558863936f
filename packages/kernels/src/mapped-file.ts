import {
  type BlobLayout,
  quantisedName,
  scalesName,
  type StoredTensor,
} from '@expertmesh/shared/expert-store/blob-layout';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type NativeBinding, type NativeHandle, type NativeMatrix } from './native-binding.js';

/** Whether there are kernels for a store's matrices: 16-bit weights are left to ONNX Runtime. */
export function hasKernelsFor(quantisation: Quantisation): boolean {
  return quantisation.bits !== 16;
}

/** A mapped blob of the store. It stays mapped while it or a layer made from it is in use. */
export class MappedFile {
  readonly handle: NativeHandle<'file'>;
  readonly #binding: NativeBinding;
  readonly #path: string;

  /** @throws Error when the file cannot be mapped. */
  constructor(binding: NativeBinding, path: string) {
    this.handle = binding.mapFile(path);
    this.#binding = binding;
    this.#path = path;
  }

  /**
   * Reads the file into memory beside the event loop, so that the first use of its weights waits neither for the disk
   * nor for page faults.
   *
   * @throws ExpertmeshError `data_loss` when it cannot be read.
   */
  async prefault(): Promise<void> {
    try {
      await this.#binding.prefault(this.handle);
    } catch (cause) {
      throw new ExpertmeshError('data_loss', `${this.#path} cannot be read: ${ExpertmeshError.from(cause).message}`, {
        cause,
      });
    }
  }

  /**
   * The matrix `name` as the store's quantisation holds it.
   *
   * @throws ExpertmeshError `unimplemented` for 16 bits, `internal` for a name that the layout lacks.
   */
  matrix(layout: BlobLayout, quantisation: Quantisation, name: string): NativeMatrix {
    switch (quantisation.bits) {
      case 32:
        return this.fp32(layout, name);
      case 16:
        throw new ExpertmeshError('unimplemented', 'the native kernels read stores of 4, 8 and 32 bits, not of 16');
      case 8:
      case 4: {
        const q = tensorOf(layout, quantisedName(name));
        const [out = 0, numBlocks = 0] = q.shape;
        return {
          file: this.handle,
          out,
          in: numBlocks * quantisation.blockSize,
          bits: quantisation.bits,
          blockSize: quantisation.blockSize,
          weightsOffsetBytes: q.offsetBytes,
          scalesOffsetBytes: tensorOf(layout, scalesName(name)).offsetBytes,
        };
      }
    }
  }

  /** A tensor that every store holds as fp32: a vector becomes a matrix with one row. */
  fp32(layout: BlobLayout, name: string): NativeMatrix {
    const { shape, offsetBytes } = tensorOf(layout, name);
    const [out = 1, inFeatures = 0] = shape.length === 1 ? [1, ...shape] : shape;
    return { file: this.handle, out, in: inFeatures, bits: 32, weightsOffsetBytes: offsetBytes };
  }

  /** As `fp32`, or undefined where the layout has no such tensor. */
  optionalFp32(layout: BlobLayout, name: string): NativeMatrix | undefined {
    return layout.tensors.some((tensor) => tensor.name === name) ? this.fp32(layout, name) : undefined;
  }
}

function tensorOf(layout: BlobLayout, name: string): StoredTensor {
  const tensor = layout.tensors.find((candidate) => candidate.name === name);
  if (tensor === undefined) throw new ExpertmeshError('internal', `the blob has no tensor ${name}`);
  return tensor;
}
