import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** Keywords that hold a value to something, and are enforced. */
const ENFORCED: ReadonlySet<string> = new Set([
  'type',
  'nullable',
  'enum',
  'const',
  'anyOf',
  'oneOf',
  'allOf',
  '$ref',
  'properties',
  'required',
  'additionalProperties',
  'patternProperties',
  'propertyNames',
  'minProperties',
  'maxProperties',
  'items',
  'prefixItems',
  'additionalItems',
  'minItems',
  'maxItems',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
]);

/** Keywords that say something about a value, or hold what others refer to. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$schema',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'example',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'contentEncoding',
  'contentMediaType',
  'contentSchema',
  'discriminator',
  'externalDocs',
  'xml',
  'strict',
  'enumNames',
  'markdownDescription',
  'propertyOrdering',
]);

/** Keywords that hold for every value as long as they say this. */
const HARMLESS: Readonly<Record<string, unknown>> = {
  uniqueItems: false,
  unevaluatedProperties: true,
  unevaluatedItems: true,
  minContains: 0,
};

/** @throws ExpertmeshError `invalid_argument` that names a keyword which is not supported, and where it stands. */
export function checkKeywords(schema: object, path: string): void {
  for (const [keyword, value] of Object.entries(schema)) {
    if (value === undefined || ENFORCED.has(keyword) || ANNOTATIONS.has(keyword) || keyword.startsWith('x-')) continue;
    if (Object.hasOwn(HARMLESS, keyword) && HARMLESS[keyword] === value) continue;
    if (keyword === '$id' && path === '#') continue;
    throw schemaError(path, `keyword ${JSON.stringify(keyword)} is not supported; leave it out or say it otherwise`);
  }
}

export function schemaError(path: string, problem: string): ExpertmeshError {
  return new ExpertmeshError('invalid_argument', `schema at ${path}: ${problem}`);
}

export function joinPath(path: string, ...keys: readonly (string | number)[]): string {
  return [path, ...keys.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');
}
