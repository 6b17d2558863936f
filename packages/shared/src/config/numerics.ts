/**
 * invariant: the bits of a row do not depend on what is computed with it, where, or in how many parts; see
 * docs/numerics.md. fast: sums are added in the order that is quickest.
 */
export const NUMERICS = ['fast', 'invariant'] as const;
export type Numerics = (typeof NUMERICS)[number];
