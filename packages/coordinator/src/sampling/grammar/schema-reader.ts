import type { RegexAutomaton } from './regex-automaton.js';
import { type Conjunction, type SchemaAt, SchemaDocument } from './schema-document.js';
import { checkKeywords, joinPath, schemaError } from './schema-keywords.js';
import { isValidFor } from './schema-values.js';
import { type Json, mergeShapes, type Shape, type ValueShape } from './schema-shape.js';
import { areDisjoint } from './disjoint-shapes.js';
import { shapesOfKeywords } from './shape-keywords.js';
import type { ValueJudge } from './value-judge.js';

/** Alternatives that anyOf inside allOf may multiply to. */
const MAX_SHAPES = 2000;

/** Reads schemas as lists of shapes: `anyOf` and types side by side, `allOf` and `$ref` multiplied out. */
export class SchemaReader implements ValueJudge {
  readonly document: SchemaDocument;
  readonly automaton: RegexAutomaton;
  readonly #shapes = new Map<string, readonly Shape[]>();
  /** Schemas that are being read, so that one that refers to itself without a member between is found. */
  readonly #open = new Set<SchemaAt>();
  /** Checks that look into members, which may be of schemas that are being read. */
  readonly #deferred: (() => void)[] = [];

  constructor(schema: unknown, automaton: RegexAutomaton) {
    this.document = new SchemaDocument(schema);
    this.automaton = automaton;
  }

  shapesOf(schemas: Conjunction): readonly Shape[] {
    const key = schemas.map(({ id }) => id).join(',');
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const [first, ...others] = schemas.map((at) => this.#read(at));
    const shapes = others.reduce(
      (a, b) => this.#multiply(a, b, schemas[0]?.path ?? '#'),
      first ?? this.#read(anything),
    );
    this.#shapes.set(key, shapes);
    if (this.#open.size === 0) for (let check = this.#deferred.pop(); check; check = this.#deferred.pop()) check();
    return shapes;
  }

  isValid(value: Json, schemas: Conjunction): boolean {
    return this.shapesOf(schemas).some((shape) => isValidFor(value, shape, this));
  }

  #read(at: SchemaAt): readonly Shape[] {
    const { schema, path } = at;
    if (schema === false) return [];
    if (schema === true) return this.#read(anything);
    if (this.#open.has(at)) throw schemaError(path, 'a schema that refers to itself holds for nothing in particular');
    this.#open.add(at);
    try {
      checkKeywords(schema, path);
      return this.#readKeywords({ ...at, schema });
    } finally {
      this.#open.delete(at);
    }
  }

  #readKeywords(at: SchemaAt & { readonly schema: Readonly<Record<string, unknown>> }): readonly Shape[] {
    const { schema, path } = at;
    let shapes: readonly Shape[] = shapesOfKeywords(at, this.document);
    const and = (others: readonly Shape[]) => (shapes = this.#multiply(shapes, others, path));
    const values = valuesOf(schema, path);
    if (values !== undefined) and(values);
    if (schema['$ref'] !== undefined) and(this.#read(this.document.resolve(schema['$ref'], path)));
    for (const part of this.#list(at, 'allOf') ?? []) and(part);
    const any = this.#list(at, 'anyOf');
    if (any !== undefined) and(any.flat());
    const one = this.#list(at, 'oneOf');
    if (one !== undefined) {
      this.#deferred.push(() => this.#checkExclusive(one, joinPath(path, 'oneOf')));
      and(one.flat());
    }
    return shapes;
  }

  /** The shapes of every schema in a list of schemas. */
  #list(at: SchemaAt, keyword: 'allOf' | 'anyOf' | 'oneOf'): (readonly Shape[])[] | undefined {
    const schemas: unknown = Reflect.get(Object(at.schema) as object, keyword);
    if (schemas === undefined) return undefined;
    if (!Array.isArray(schemas) || schemas.length === 0) throw schemaError(at.path, `${keyword} is a list of schemas`);
    return schemas.map((schema, index) => this.#read(this.document.at(schema, joinPath(at.path, keyword, index))));
  }

  /** No grammar counts how many branches hold, so oneOf is taken where at most one can. */
  #checkExclusive(branches: readonly (readonly Shape[])[], path: string): void {
    branches.forEach((branch, index) => {
      const other = branches.findIndex(
        (candidate, otherIndex) =>
          otherIndex > index && branch.some((a) => candidate.some((b) => !areDisjoint(a, b, this))),
      );
      if (other === -1) return;
      const problem = `branches ${String(index)} and ${String(other)} may both hold, which cannot be excluded`;
      throw schemaError(path, `${problem}; use anyOf, or tell them apart by a required property with "const"`);
    });
  }

  #multiply(left: readonly Shape[], right: readonly Shape[], path: string): readonly Shape[] {
    const shapes = left.flatMap((a) => right.flatMap((b) => this.intersect(a, b) ?? []));
    if (shapes.length > MAX_SHAPES) {
      throw schemaError(path, `more than ${String(MAX_SHAPES)} combinations of alternatives; use fewer within allOf`);
    }
    return shapes;
  }

  intersect(a: Shape, b: Shape): Shape | undefined {
    if (a.kind === 'value') return isValidFor(a.value, b, this) ? a : undefined;
    if (b.kind === 'value') return isValidFor(b.value, a, this) ? b : undefined;
    return mergeShapes(a, b);
  }
}

const anything: SchemaAt = { id: -1, schema: {}, path: '#' };

function valuesOf(schema: Readonly<Record<string, unknown>>, path: string): readonly ValueShape[] | undefined {
  const listed = schema['enum'];
  if (listed !== undefined && !Array.isArray(listed)) throw schemaError(path, 'enum is a list of values');
  const values = listed?.map((value: Json): ValueShape => ({ kind: 'value', value }));
  if (!Object.hasOwn(schema, 'const')) return values;
  if (values !== undefined) throw schemaError(path, 'const and enum side by side are not supported; use one of them');
  return [{ kind: 'value', value: schema['const'] }];
}
