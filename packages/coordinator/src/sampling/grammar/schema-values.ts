import { isRecord } from './schema-document.js';
import {
  type ArrayShape,
  itemConjunction,
  type Json,
  memberConjunction,
  nameConjunction,
  type NumberShape,
  type ObjectShape,
  type Shape,
  type StringShape,
  type TextRule,
} from './schema-shape.js';
import { formatPattern } from './string-formats.js';
import type { ValueJudge } from './value-judge.js';

/** Whether a value of `enum` or `const` is valid for a shape. */
export function isValidFor(value: Json, shape: Shape, reader: ValueJudge): boolean {
  switch (shape.kind) {
    case 'null':
      return value === null;
    case 'boolean':
      return typeof value === 'boolean';
    case 'value':
      return isSameJson(value, shape.value);
    case 'number':
      return typeof value === 'number' && isNumberIn(value, shape);
    case 'string':
      return typeof value === 'string' && isStringIn(value, shape);
    case 'array':
      return Array.isArray(value) && isArrayIn(value, shape, reader);
    case 'object':
      return isRecord(value) && isObjectIn(value, shape, reader);
  }
}

/** Whether a pattern is found in a text. */
export function isFoundIn({ source }: TextRule, text: string): boolean {
  try {
    return new RegExp(source, 'u').test(text);
  } catch (error) {
    // Patterns that only the older syntax knows, such as an escaped hyphen.
    if (error instanceof SyntaxError) return new RegExp(source).test(text);
    throw error;
  }
}

function isNumberIn(value: number, { isInteger, lower, upper, divisors }: NumberShape): boolean {
  if (isInteger && !Number.isInteger(value)) return false;
  if (lower !== undefined && (lower.isExclusive ? value <= lower.value : value < lower.value)) return false;
  if (upper !== undefined && (upper.isExclusive ? value >= upper.value : value > upper.value)) return false;
  return divisors.every((divisor) => value % divisor === 0);
}

function isStringIn(value: string, { minLength, maxLength, patterns, formats }: StringShape): boolean {
  const length = Array.from(value).length;
  if (length < minLength || length > maxLength) return false;
  const whole = ({ source }: TextRule): TextRule => ({ source: `^(?:${formatPattern(source) ?? ''})$`, path: '' });
  return [...patterns, ...formats.map(whole)].every((rule) => isFoundIn(rule, value));
}

function isArrayIn(value: readonly Json[], shape: ArrayShape, reader: ValueJudge): boolean {
  if (value.length < shape.min || value.length > shape.max) return false;
  return value.every((item, index) => reader.isValid(item, itemConjunction(shape, index)));
}

function isObjectIn(value: Readonly<Record<string, Json>>, shape: ObjectShape, reader: ValueJudge): boolean {
  const members = Object.entries(value);
  if (members.length < shape.min || members.length > shape.max) return false;
  if (!shape.required.every((name) => Object.hasOwn(value, name))) return false;
  return members.every(
    ([name, member]) =>
      reader.isValid(name, nameConjunction(shape)) && reader.isValid(member, memberConjunction(shape, name, isFoundIn)),
  );
}

function isSameJson(a: Json, b: Json): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isSameJson(item, b[index]));
  }
  if (isRecord(a) && isRecord(b)) {
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((name) => isSameJson(a[name], b[name]));
  }
  return a === b;
}
