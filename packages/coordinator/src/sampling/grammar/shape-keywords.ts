import { type Conjunction, isRecord, type SchemaAt, type SchemaDocument } from './schema-document.js';
import { joinPath, schemaError } from './schema-keywords.js';
import {
  type ArrayShape,
  type NumberShape,
  type ObjectShape,
  type Shape,
  type StringShape,
  tighter,
} from './schema-shape.js';
import { formatPattern, isAnnotationFormat, SUPPORTED_FORMATS } from './string-formats.js';

const TYPES = ['null', 'boolean', 'number', 'integer', 'string', 'array', 'object'] as const;

type SchemaType = (typeof TYPES)[number];

/** Divisors above this are refused: remainders are states. */
const MAX_DIVISOR = 10_000;

type Keywords = Readonly<Record<string, unknown>>;

/** One shape for each type that the schema's `type` allows, with the keywords that hold for it. */
export function shapesOfKeywords(at: SchemaAt & { readonly schema: Keywords }, document: SchemaDocument): Shape[] {
  const types = typesOf(at.schema, at.path);
  const all: Shape[] = [
    { kind: 'null' },
    { kind: 'boolean' },
    stringShape(at),
    arrayShape(at, document),
    objectShape(at, document),
  ];
  const shapes = all.filter(({ kind }) => types.has(kind as SchemaType));
  if (types.has('number')) shapes.push(numberShape(at, false));
  else if (types.has('integer')) shapes.push(numberShape(at, true));
  return shapes;
}

function typesOf({ type, nullable }: Keywords, path: string): ReadonlySet<SchemaType> {
  if (type === undefined) return new Set(TYPES);
  const listed: readonly unknown[] = Array.isArray(type) ? type : [type];
  const types = listed.map((name) => {
    const known = TYPES.find((other) => other === name);
    if (known === undefined) throw schemaError(path, `type ${JSON.stringify(name)} is none of ${TYPES.join(', ')}`);
    return known;
  });
  return new Set(nullable === true ? [...types, 'null'] : types);
}

function stringShape({ schema, path }: SchemaAt & { readonly schema: Keywords }): StringShape {
  const { pattern, format } = schema;
  if (pattern !== undefined && typeof pattern !== 'string') throw schemaError(path, 'pattern is a string');
  return {
    kind: 'string',
    minLength: size(schema, 'minLength', path) ?? 0,
    maxLength: size(schema, 'maxLength', path) ?? Infinity,
    patterns: pattern === undefined ? [] : [{ source: pattern, path: joinPath(path, 'pattern') }],
    formats: hasFormat(format, path) ? [{ source: format, path: joinPath(path, 'format') }] : [],
  };
}

function hasFormat(format: unknown, path: string): format is string {
  if (format === undefined) return false;
  if (typeof format !== 'string') throw schemaError(path, 'format is a string');
  if (isAnnotationFormat(format)) return false;
  if (formatPattern(format) !== undefined) return true;
  throw schemaError(
    path,
    `format ${JSON.stringify(format)} is not supported; supported: ${SUPPORTED_FORMATS.join(', ')}`,
  );
}

function numberShape({ schema, path }: SchemaAt & { readonly schema: Keywords }, isInteger: boolean): NumberShape {
  const bound = (keyword: string, isExclusive: boolean) => {
    const value = finite(schema, keyword, path);
    return value === undefined ? undefined : { value, isExclusive };
  };
  const divisor = finite(schema, 'multipleOf', path);
  if (divisor !== undefined && (!Number.isInteger(divisor) || divisor < 1 || divisor > MAX_DIVISOR)) {
    const limits = `integers from 1 to ${String(MAX_DIVISOR)}`;
    throw schemaError(path, `multipleOf ${String(divisor)} is not supported: multiples of ${limits} are`);
  }
  return {
    kind: 'number',
    // A number that is a multiple of an integer is one.
    isInteger: isInteger || divisor !== undefined,
    lower: tighter(bound('minimum', false), bound('exclusiveMinimum', true), 1),
    upper: tighter(bound('maximum', false), bound('exclusiveMaximum', true), -1),
    divisors: divisor === undefined || divisor === 1 ? [] : [divisor],
  };
}

function arrayShape(at: SchemaAt & { readonly schema: Keywords }, document: SchemaDocument): ArrayShape {
  const { schema, path } = at;
  const min = size(schema, 'minItems', path) ?? 0;
  const max = size(schema, 'maxItems', path) ?? Infinity;
  // Before draft 2020-12 a list of items was what prefixItems is now.
  const prefixKeyword = Array.isArray(schema['items']) ? 'items' : 'prefixItems';
  const listed = schema[prefixKeyword] ?? [];
  if (!Array.isArray(listed)) throw schemaError(path, 'prefixItems is a list of schemas');
  const prefix = listed.map((_, index) => document.member(at, prefixKeyword, index));
  const rest = document.member(at, prefixKeyword === 'items' ? 'additionalItems' : 'items');
  return { kind: 'array', min, max, parts: [{ prefix, rest }] };
}

function objectShape(at: SchemaAt & { readonly schema: Keywords }, document: SchemaDocument): ObjectShape {
  const { schema, path } = at;
  const { required = [] } = schema;
  if (!Array.isArray(required) || !required.every((name) => typeof name === 'string')) {
    throw schemaError(path, 'required is a list of names');
  }
  const properties = members(at, 'properties', document);
  const patterns = [...members(at, 'patternProperties', document)].map(([source, value]) => ({
    rule: { source, path: joinPath(path, 'patternProperties', source) },
    value,
  }));
  const additional = document.member(at, 'additionalProperties');
  const names = document.member(at, 'propertyNames');
  return {
    kind: 'object',
    path,
    min: size(schema, 'minProperties', path) ?? 0,
    max: size(schema, 'maxProperties', path) ?? Infinity,
    required: [...new Set(required)],
    parts: [{ properties, patterns, additional, names }],
  };
}

function members(
  at: SchemaAt & { readonly schema: Keywords },
  keyword: string,
  document: SchemaDocument,
): ReadonlyMap<string, Conjunction> {
  const value = at.schema[keyword] ?? {};
  if (!isRecord(value)) throw schemaError(at.path, `${keyword} is an object of schemas`);
  return new Map(Object.keys(value).map((name) => [name, document.member(at, keyword, name)]));
}

function size(schema: Keywords, keyword: string, path: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw schemaError(path, `${keyword} is an integer of at least 0, and not ${JSON.stringify(value)}`);
}

function finite(schema: Keywords, keyword: string, path: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw schemaError(path, `${keyword} is a number, and not ${JSON.stringify(value)}`);
}
