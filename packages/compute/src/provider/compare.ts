import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';

/**
 * How far a provider's result may be from the CPU's. ONNX Runtime on the CPU rounds activations to int8 with 8- and
 * 4-bit weights; some GPUs multiply fp32 with shortened mantissas. A driver that computes wrongly is off by more than
 * either.
 */
export function toleratedError(quantisation: Quantisation): number {
  return 'blockSize' in quantisation ? 0.05 : 0.01;
}

/**
 * The largest difference of two results, in proportion to the largest value expected; infinite where anything is not
 * finite.
 */
export function relativeError(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Infinity;
  let largestDifference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual[i] ?? 0) - (expected[i] ?? 0));
    if (!Number.isFinite(difference)) return Infinity;
    largestDifference = Math.max(largestDifference, difference);
    largest = Math.max(largest, Math.abs(expected[i] ?? 0));
  }
  return largestDifference === 0 ? 0 : largestDifference / largest;
}

/** Values in [-1, 1) of a linear congruential generator: the same for every provider. */
export function pseudoRandom(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
