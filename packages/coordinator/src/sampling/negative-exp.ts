const STEPS_PER_UNIT = 64;
/** Of this and less the exponential counts as 0: a million of them add less than 5e-12 to a sum that has a 1. */
const LOWEST = -40;

const TABLE = Float64Array.from({ length: 1 - LOWEST * STEPS_PER_UNIT }, (_, step) => Math.exp(-step / STEPS_PER_UNIT));

/**
 * The exponential of a number that is at most 0, exact to a relative 2e-10 and 1 at 0: a table, and Taylor's series for
 * the rest. It takes a fraction of the time of Math.exp, and sampling needs one per token of the vocabulary.
 */
export function negativeExp(x: number): number {
  if (!(x > LOWEST)) return 0;
  const step = (0.5 - x * STEPS_PER_UNIT) | 0;
  const rest = x + step / STEPS_PER_UNIT;
  return (TABLE[step] ?? 0) * (1 + rest * (1 + rest * (0.5 + rest / 6)));
}
