import type { Bound, NumberRange } from './number-regex.js';
import { type Conjunction, conjunctionOf } from './schema-document.js';

/** A JSON value. */
export type Json = unknown;

/** One way to be valid: a type with what holds for it. A schema comes to a list of these, of which one must hold. */
export type Shape =
  | { readonly kind: 'null' }
  | { readonly kind: 'boolean' }
  | ValueShape
  | NumberShape
  | StringShape
  | ArrayShape
  | ObjectShape;

/** Exactly one value. */
export interface ValueShape {
  readonly kind: 'value';
  readonly value: Json;
}

export interface NumberShape extends NumberRange {
  readonly kind: 'number';
}

export interface StringShape {
  readonly kind: 'string';
  /** Code points. */
  readonly minLength: number;
  readonly maxLength: number;
  readonly patterns: readonly TextRule[];
  readonly formats: readonly TextRule[];
}

/** A pattern or a format, and the schema that has it. */
export interface TextRule {
  readonly source: string;
  readonly path: string;
}

export interface ArrayShape {
  readonly kind: 'array';
  readonly min: number;
  readonly max: number;
  readonly parts: readonly ArrayPart[];
}

/** What one schema says of items: the first ones by their place, and the rest. */
export interface ArrayPart {
  readonly prefix: readonly Conjunction[];
  readonly rest: Conjunction;
}

export interface ObjectShape {
  readonly kind: 'object';
  /** For messages. */
  readonly path: string;
  readonly min: number;
  readonly max: number;
  readonly required: readonly string[];
  readonly parts: readonly ObjectPart[];
}

/** What one schema says of members. */
export interface ObjectPart {
  readonly properties: ReadonlyMap<string, Conjunction>;
  readonly patterns: readonly { readonly rule: TextRule; readonly value: Conjunction }[];
  readonly additional: Conjunction;
  /** What every name has to be. */
  readonly names: Conjunction;
}

/** What both allow, undefined where types differ; a ValueShape is looked into by SchemaReader. */
export function mergeShapes(a: Exclude<Shape, ValueShape>, b: Exclude<Shape, ValueShape>): Shape | undefined {
  if (a.kind === 'number' && b.kind === 'number') return mergeNumbers(a, b);
  if (a.kind === 'string' && b.kind === 'string') return mergeStrings(a, b);
  if (a.kind === 'array' && b.kind === 'array') return { ...a, ...mergeSizes(a, b), parts: [...a.parts, ...b.parts] };
  if (a.kind === 'object' && b.kind === 'object') {
    const required = [...new Set([...a.required, ...b.required])];
    return { ...a, ...mergeSizes(a, b), required, parts: [...a.parts, ...b.parts] };
  }
  return a.kind === b.kind ? a : undefined;
}

interface Sizes {
  readonly min: number;
  readonly max: number;
}

function mergeSizes(a: Sizes, b: Sizes): Sizes {
  return { min: Math.max(a.min, b.min), max: Math.min(a.max, b.max) };
}

function mergeStrings(a: StringShape, b: StringShape): StringShape {
  return {
    kind: 'string',
    minLength: Math.max(a.minLength, b.minLength),
    maxLength: Math.min(a.maxLength, b.maxLength),
    patterns: [...a.patterns, ...b.patterns],
    formats: [...a.formats, ...b.formats],
  };
}

function mergeNumbers(a: NumberShape, b: NumberShape): NumberShape {
  return {
    kind: 'number',
    isInteger: a.isInteger || b.isInteger,
    lower: tighter(a.lower, b.lower, 1),
    upper: tighter(a.upper, b.upper, -1),
    divisors: [...a.divisors, ...b.divisors],
  };
}

/** @param direction - 1 for lower bounds, -1 for upper ones. */
export function tighter(a: Bound | undefined, b: Bound | undefined, direction: 1 | -1): Bound | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.value !== b.value) return (a.value - b.value) * direction > 0 ? a : b;
  return a.isExclusive ? a : b;
}

/** What holds for the item at `index`. */
export function itemConjunction({ parts }: ArrayShape, index: number): Conjunction {
  return conjunctionOf(...parts.map(({ prefix, rest }) => prefix[index] ?? rest));
}

/** Names that the schemas speak of, in their order. */
export function namedMembers({ parts, required }: ObjectShape): readonly string[] {
  return [...new Set([...parts.flatMap(({ properties }) => [...properties.keys()]), ...required])];
}

/** What holds for the member `name`. @param matches - whether a pattern is found in the name. */
export function memberConjunction(
  { parts }: ObjectShape,
  name: string,
  matches: (rule: TextRule, name: string) => boolean,
): Conjunction {
  const of = ({ properties, patterns, additional }: ObjectPart): Conjunction => {
    const named = properties.get(name);
    const matching = patterns.filter(({ rule }) => matches(rule, name)).map(({ value }) => value);
    if (named === undefined && matching.length === 0) return additional;
    return conjunctionOf(named ?? [], ...matching);
  };
  return conjunctionOf(...parts.map(of));
}

export function nameConjunction({ parts }: ObjectShape): Conjunction {
  return conjunctionOf(...parts.map(({ names }) => names));
}
