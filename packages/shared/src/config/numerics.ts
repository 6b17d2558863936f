/**
 * invariant: the bits of a row do not depend on what is computed with it, where, or in how many parts; see
 * docs/numerics.md. fast: sums over workers are rounded as they come.
 */
export const NUMERICS = ['invariant', 'fast'] as const;
export type Numerics = (typeof NUMERICS)[number];
