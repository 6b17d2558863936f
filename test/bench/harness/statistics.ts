/** The middle of some measurements and how far they lie apart. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly numSamples: number;
}

/** @returns undefined without values. */
export function summarise(values: readonly number[]): Summary | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? max;
  const lower = sorted.length % 2 === 1 ? upper : (sorted[half - 1] ?? upper);
  return { median: (lower + upper) / 2, min, max, numSamples: sorted.length };
}
