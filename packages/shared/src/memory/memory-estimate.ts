import { type Provider } from '../config/execution-provider.js';
import { QUANTISED_MEMORY_FACTOR } from '../limits/limits.js';
import { type Quantisation } from '../expert-store/quantisation.js';

/** How many times its packed bytes a session of fp32 weights needs in memory. */
const FP32_MEMORY_FACTOR = 1.1;

/** The native kernels compute on the mapped files themselves; the rest is for rows in flight. */
const NATIVE_MEMORY_FACTOR = 1.05;

/**
 * The memory that serving packed weights is estimated to need, in bytes, without the process's own 110 MB. ONNX Runtime
 * computes fp32, so 16-bit weights are expanded when they are loaded; 4 and 8 bits stay packed.
 */
export function estimateMemoryBytes(packedBytes: number, quantisation: Quantisation, provider: Provider): number {
  return Math.ceil(packedBytes * (provider === 'native' ? NATIVE_MEMORY_FACTOR : onnxMemoryFactor(quantisation)));
}

function onnxMemoryFactor(quantisation: Quantisation): number {
  switch (quantisation.bits) {
    case 4:
    case 8:
      return QUANTISED_MEMORY_FACTOR;
    case 16:
      return 2 * FP32_MEMORY_FACTOR;
    case 32:
      return FP32_MEMORY_FACTOR;
  }
}
