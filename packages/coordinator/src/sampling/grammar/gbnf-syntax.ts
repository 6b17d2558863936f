import type { CodePoints } from './code-points.js';

/** The right side of a rule as it is read. */
export type Gbnf =
  | { readonly kind: 'characters'; readonly set: CodePoints }
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'reference'; readonly name: string }
  | { readonly kind: 'sequence'; readonly items: readonly Gbnf[] }
  | { readonly kind: 'choice'; readonly options: readonly Gbnf[] }
  | { readonly kind: 'repeat'; readonly item: Gbnf; readonly min: number; readonly max: number };
