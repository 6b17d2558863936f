import { joinPath, schemaError } from './schema-keywords.js';

/** A schema and where it stands. One object per schema, so that they compare by identity. */
export interface SchemaAt {
  readonly id: number;
  readonly schema: Readonly<Record<string, unknown>> | boolean;
  readonly path: string;
}

/** Schemas that all hold; none of them is `true`. */
export type Conjunction = readonly SchemaAt[];

/** One schema with all that it refers to. */
export class SchemaDocument {
  readonly #root: unknown;
  readonly #known = new Map<unknown, SchemaAt>();

  constructor(root: unknown) {
    this.#root = root;
  }

  get root(): SchemaAt {
    return this.at(this.#root, '#');
  }

  at(schema: unknown, path: string): SchemaAt {
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    if (typeof schema !== 'boolean' && !isRecord(schema)) {
      throw schemaError(path, `a schema is an object or a boolean, and not ${JSON.stringify(schema)}`);
    }
    const at = { id: this.#known.size, schema, path };
    this.#known.set(schema, at);
    return at;
  }

  /** Member `key` of a schema as a conjunction, which is empty where it is not there. */
  member(parent: SchemaAt, ...keys: readonly (string | number)[]): Conjunction {
    let value: unknown = parent.schema;
    for (const key of keys) value = isRecord(value) || Array.isArray(value) ? Reflect.get(value, key) : undefined;
    return value === undefined || value === true ? [] : [this.at(value, joinPath(parent.path, ...keys))];
  }

  resolve(reference: unknown, path: string): SchemaAt {
    if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) {
      throw schemaError(
        path,
        `$ref ${JSON.stringify(reference)} is not supported: it must be within the schema (#/...)`,
      );
    }
    let value = this.#root;
    for (const token of reference.split('/').slice(1)) {
      const key = decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~');
      const isThere = (isRecord(value) || Array.isArray(value)) && Object.hasOwn(value, key);
      if (!isThere) throw schemaError(path, `$ref ${reference} leads nowhere`);
      value = Reflect.get(value as object, key);
    }
    return this.at(value, reference);
  }
}

/** All of both, each once. */
export function conjunctionOf(...parts: readonly Conjunction[]): Conjunction {
  return [...new Set(parts.flat())].sort((a, b) => a.id - b.id);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
