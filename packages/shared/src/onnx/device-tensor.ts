import type { Tensor } from 'onnxruntime-node';
import { onnxRuntime } from './onnx-runtime.js';

/**
 * A tensor of fp32 values in the memory of a GPU: an output of one run that is an input of others without crossing the
 * bus. Its values cannot be read from here (the binding ends the process when asked to); a session whose output is not
 * on the device brings them back.
 *
 * Its memory is the session's that made it, which must live longer.
 */
export class DeviceTensor {
  readonly ort: Tensor;

  constructor(ort: Tensor) {
    this.ort = ort;
  }

  /** The beginning of the same memory in another shape. Not to be released, and of no use after this was. */
  view(dims: readonly number[]): DeviceTensor {
    const { gpuBuffer } = this.ort;
    return new DeviceTensor(onnxRuntime().Tensor.fromGpuBuffer(gpuBuffer, { dataType: 'float32', dims }));
  }

  /**
   * Gives the memory back to ONNX Runtime's pool, for the next tensor of about this size. Once, when no run needs it
   * any more.
   */
  release(): void {
    this.ort.dispose();
  }
}
