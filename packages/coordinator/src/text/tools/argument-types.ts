/** JSON Schema's types. */
export type ArgumentType = 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array' | 'null';

type Schema = Readonly<Record<string, unknown>>;

/** A schema may refer to itself; no real one goes deeper. */
const MAX_DEPTH = 16;

/**
 * The types that a function's schema allows an argument to have: by `type`, the values of `enum` and `const`, and the
 * schemas of `anyOf`, `oneOf`, `allOf` and local `$ref`s. Empty where the schema does not say.
 *
 * @param parameters JSON Schema of the arguments together.
 */
export function typesOfArgument(parameters: unknown, key: string): ReadonlySet<ArgumentType> {
  const types = new Set<ArgumentType>();
  if (!isObject(parameters)) return types;
  const root = dereferenced(parameters, parameters, 0);
  const properties = root?.['properties'];
  if (isObject(properties) && Object.hasOwn(properties, key)) addTypes(types, properties[key], parameters, 0);
  else addTypes(types, root?.['additionalProperties'], parameters, 0);
  return types;
}

/** Text is a string where nothing says otherwise. */
export function isStringOnly(types: ReadonlySet<ArgumentType>): boolean {
  return types.size === 0 || (types.size === 1 && types.has('string'));
}

function addTypes(types: Set<ArgumentType>, schema: unknown, root: Schema, depth: number): void {
  if (!isObject(schema) || depth > MAX_DEPTH) return;
  const resolved = dereferenced(schema, root, depth) ?? {};
  for (const type of listOf(resolved['type'])) if (isType(type)) types.add(type);
  const values = [...listOf(resolved['enum']), ...('const' in resolved ? [resolved['const']] : [])];
  if (resolved['type'] === undefined) for (const value of values) types.add(typeOf(value));
  for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
    for (const part of listOf(resolved[keyword])) addTypes(types, part, root, depth + 1);
  }
}

/** Follows `#/$defs/Name` and the like. */
function dereferenced(schema: Schema, root: Schema, depth: number): Schema | undefined {
  const { $ref: reference } = schema;
  if (typeof reference !== 'string') return schema;
  if (!reference.startsWith('#') || depth > MAX_DEPTH) return undefined;
  let target: unknown = root;
  for (const step of reference.split('/').slice(1)) {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    target = isObject(target) && Object.hasOwn(target, name) ? target[name] : undefined;
  }
  return isObject(target) ? dereferenced(target, root, depth + 1) : undefined;
}

const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? (value as readonly unknown[]) : value === undefined ? [] : [value];

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isType = (type: unknown): type is ArgumentType =>
  ['string', 'integer', 'number', 'boolean', 'object', 'array', 'null'].includes(type as string);

function typeOf(value: unknown): ArgumentType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value === 'boolean' ? 'boolean' : typeof value === 'string' ? 'string' : 'object';
}
