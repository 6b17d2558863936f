import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { QUANTISED_MEMORY_FACTOR } from '@expertmesh/shared/limits/limits';

/** How many times its packed bytes a session of fp32 weights needs in memory. */
const FP32_MEMORY_FACTOR = 1.1;

/**
 * The memory that serving packed experts is estimated to need, in bytes. ONNX Runtime computes fp32 on the CPU, so 16-bit
 * weights are expanded when they are loaded; 4 and 8 bits stay packed.
 */
export function estimateMemoryBytes(packedBytes: number, quantisation: Quantisation): number {
  return Math.ceil(packedBytes * memoryFactor(quantisation));
}

function memoryFactor(quantisation: Quantisation): number {
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
