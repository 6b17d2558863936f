/** Pairs of a row at most, so that its sum is exact in its unit. */
export const MAX_EXACT_TERMS = 16;
/** What a row's high parts are multiples of, in units: sixteen terms of at most half of it are below 2^24. */
const HIGH_UNITS = 2 ** 21;
/** In units: terms beyond it have a high part. */
const HIGHEST_LOW_PART = HIGH_UNITS / 2;

/*
 * The unit for what is added to a residual, by the bits of fp32: the exponent of its largest magnitude, less 18, within
 * what leaves room for high parts and for a fraction. Terms of 2 to 4 times that magnitude have no high part. The
 * kernels have the same in exact-sum.hpp.
 */
const EXPONENT_SHIFT = 23;
const MAGNITUDE_BITS = 0x7fffffff;
const BELOW_EXPONENT = 18;
const LEAST_EXPONENT = 27;
const MOST_EXPONENT = 207;

/** fp32 [rows]: to multiples of which power of two each row's terms are rounded. A function of the row alone. */
export function sumUnitsOf(residual: Float32Array, hiddenSize: number): Float32Array {
  const bits = new Uint32Array(residual.buffer, residual.byteOffset, residual.length);
  const units = new Uint32Array(residual.length / hiddenSize);
  for (let row = 0; row < units.length; row++) {
    let largest = 0;
    for (let i = row * hiddenSize; i < (row + 1) * hiddenSize; i++) {
      const magnitude = (bits[i] ?? 0) & MAGNITUDE_BITS;
      if (magnitude > largest) largest = magnitude;
    }
    const exponent = (largest >>> EXPONENT_SHIFT) - BELOW_EXPONENT;
    units[row] = Math.min(Math.max(exponent, LEAST_EXPONENT), MOST_EXPONENT) << EXPONENT_SHIFT;
  }
  return new Float32Array(units.buffer);
}

/** Whether it is one that sumUnitsOf gives. */
export function isSumUnit(value: number): boolean {
  return value >= 2 ** -100 && value <= 2 ** 80 && Number.isInteger(Math.log2(value));
}

/** Both parts of a term, as [low, high]: multiples of its unit and of a coarser one, whose sums are exact. */
export function partsOfTerm(term: number, unit: number): readonly [low: number, high: number] {
  const highUnit = unit * HIGH_UNITS;
  const high = Math.abs(term) <= unit * HIGHEST_LOW_PART ? 0 : Math.round(term / highUnit) * highUnit;
  return [Math.round((term - high) / unit) * unit, high];
}
