import { numberRegex } from './number-regex.js';
import type { Conjunction } from './schema-document.js';
import { type ArrayShape, itemConjunction, memberConjunction, type ObjectShape, type Shape } from './schema-shape.js';
import { isFoundIn } from './schema-values.js';
import { stringRegex } from './string-regex.js';
import type { ValueJudge } from './value-judge.js';

/** Members within members are compared this deep; what is alike beyond counts as able to be equal. */
const MAX_DEPTH = 4;

/** Whether it can be shown that no value is valid for both. */
export function areDisjoint(a: Shape, b: Shape, reader: ValueJudge): boolean {
  const common = reader.intersect(a, b);
  return common === undefined || isImpossible(common, reader, MAX_DEPTH);
}

function isImpossible(shape: Shape, reader: ValueJudge, depth: number): boolean {
  const { automaton } = reader;
  switch (shape.kind) {
    case 'null':
    case 'boolean':
    case 'value':
      return false;
    case 'number':
      return !automaton.isLive(numberRegex(automaton.pool, shape));
    case 'string':
      return !automaton.isLive(stringRegex(automaton.pool, shape, 'json_plain'));
    case 'array':
      return isImpossibleArray(shape, reader, depth);
    case 'object':
      return isImpossibleObject(shape, reader, depth);
  }
}

function isImpossibleArray(shape: ArrayShape, reader: ValueJudge, depth: number): boolean {
  if (shape.min > shape.max) return true;
  const numCompared = Math.min(shape.min, 16);
  return Array.from({ length: numCompared }, (_, index) => itemConjunction(shape, index)).some((schemas) =>
    isNeverValid(schemas, reader, depth - 1),
  );
}

function isImpossibleObject(shape: ObjectShape, reader: ValueJudge, depth: number): boolean {
  if (shape.min > shape.max || shape.required.length > shape.max) return true;
  return shape.required.some((name) => isNeverValid(memberConjunction(shape, name, isFoundIn), reader, depth - 1));
}

function isNeverValid(schemas: Conjunction, reader: ValueJudge, depth: number): boolean {
  if (depth === 0) return false;
  return reader.shapesOf(schemas).every((shape) => isImpossible(shape, reader, depth));
}
