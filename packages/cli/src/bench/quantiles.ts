export interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * The smallest value that at least the fraction `q` of all values do not exceed (nearest rank); undefined without
 * values.
 */
export function quantile(values: readonly number[], q: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

export function quantilesOf(values: readonly number[]): Quantiles | undefined {
  const [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1].map((q) => quantile(values, q));
  if (p50 === undefined || p90 === undefined || p99 === undefined || max === undefined) return undefined;
  return { p50, p90, p99, max };
}
