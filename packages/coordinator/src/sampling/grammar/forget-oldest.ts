/** Constraints kept per vocabulary, as clients send the same ones again. */
const MAX_CONSTRAINTS = 64;

/** Memory for all of them; what answers still use is kept by those. */
const MAX_BYTES = 256 * 2 ** 20;

/** Forgets those that were asked for the longest time ago, where there are too many or they are too large together. */
export function forgetOldest(constraints: Map<string, { readonly sizeBytes: number }>): void {
  let sizeBytes = 0;
  for (const compiled of constraints.values()) sizeBytes += compiled.sizeBytes;
  for (const [key, compiled] of constraints) {
    const isWithin = constraints.size <= MAX_CONSTRAINTS && sizeBytes <= MAX_BYTES;
    if (isWithin || constraints.size === 1) return;
    constraints.delete(key);
    sizeBytes -= compiled.sizeBytes;
  }
}
