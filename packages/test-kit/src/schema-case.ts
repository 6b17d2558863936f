/** A schema with values that it holds to be valid, members in its order, and others that it does not. */
export interface SchemaCase {
  readonly schema: unknown;
  readonly valid: readonly unknown[];
  readonly invalid: readonly unknown[];
}

export function string(keywords: object): object {
  return { type: 'string', ...keywords };
}

export function object(properties: object, keywords: object = {}): object {
  return { type: 'object', properties, ...keywords };
}

export function array(items: unknown, keywords: object = {}): object {
  return { type: 'array', items, ...keywords };
}

export function check(schema: unknown, valid: readonly unknown[], invalid: readonly unknown[]): SchemaCase {
  return { schema, valid, invalid };
}
