import { SCALAR_SCHEMA_CASES } from './scalar-schema-cases.js';
import { array, check, object, type SchemaCase, string } from './schema-case.js';

const TREE = {
  $ref: '#/$defs/tree',
  $defs: {
    tree: object(
      { value: { type: 'integer' }, children: array({ $ref: '#/$defs/tree' }) },
      { required: ['value'], additionalProperties: false },
    ),
  },
};

const EXPRESSION = {
  oneOf: [
    object(
      { kind: { const: 'number' }, value: { type: 'number' } },
      { required: ['value', 'kind'], additionalProperties: false },
    ),
    object(
      { kind: { const: 'sum' }, left: { $ref: '#' }, right: { $ref: '#' } },
      { required: ['left', 'right', 'kind'] },
    ),
  ],
};

const STRUCTURE_SCHEMA_CASES: readonly SchemaCase[] = [
  // Arrays.
  check(array({ type: 'integer' }), [[], [1], [1, 2, 3]], [['a'], [1, null]]),
  check(array({ type: 'string' }, { minItems: 1 }), [['a'], ['a', 'b']], [[]]),
  check(array({ type: 'string' }, { maxItems: 2 }), [[], ['a', 'b']], [['a', 'b', 'c']]),
  check(array({}, { minItems: 2, maxItems: 2 }), [[1, 2]], [[1], [1, 2, 3]]),
  check(array(true, { maxItems: 0 }), [[]], [[1]]),
  check(array(false), [[]], [[1]]),
  check(
    { type: 'array', prefixItems: [{ type: 'integer' }, { type: 'string' }] },
    [[], [1], [1, 'a'], [1, 'a', null]],
    [['a'], [1, 2]],
  ),
  check({ type: 'array', prefixItems: [{ type: 'integer' }], items: false }, [[], [1]], [[1, 2], ['a']]),
  check(
    { type: 'array', prefixItems: [{ type: 'integer' }], items: { type: 'boolean' }, minItems: 2 },
    [
      [1, true],
      [1, true, false],
    ],
    [[1], [1, 2]],
  ),
  check(array(array({ type: 'integer' })), [[], [[]], [[1], [2, 3]]], [[1], [['a']]]),
  check(
    { allOf: [array({ minimum: 1 }), array({ type: 'integer' }, { maxItems: 2 })] },
    [[1], [1, 2]],
    [[0], [1, 2, 3], [1.5]],
  ),
  check(array({ type: 'integer' }, { uniqueItems: false }), [[1, 1]], []),
  // Objects.
  check(object({ a: { type: 'integer' } }), [{}, { a: 1 }, { a: 1, b: 'x' }], [{ a: 'x' }]),
  check(object({ a: {}, b: {} }, { required: ['a'] }), [{ a: 1 }, { a: 1, b: 2 }], [{}, { b: 2 }]),
  check(
    object({ a: {}, b: {}, c: {} }, { required: ['b'], additionalProperties: false }),
    [{ b: 1 }, { a: 1, b: 2 }, { a: 1, b: 2, c: 3 }, { b: 1, c: 2 }],
    [{}, { a: 1, c: 1 }, { b: 1, d: 1 }],
  ),
  check(
    object({ a: {}, b: {} }, { additionalProperties: false }),
    [{}, { a: 1 }, { b: 1 }, { a: 1, b: 2 }],
    [{ c: 1 }],
  ),
  check(object({}, { additionalProperties: false }), [{}], [{ a: 1 }]),
  check({ type: 'object', additionalProperties: { type: 'integer' } }, [{}, { a: 1, b: 2 }], [{ a: 'x' }]),
  check(
    object({ a: { type: 'string' } }, { additionalProperties: { type: 'integer' } }),
    [{ a: 'x', b: 1 }, { ab: 1 }, { '': 0 }],
    [{ a: 1 }, { b: 'x' }],
  ),
  check({ type: 'object', required: ['x'] }, [{ x: 1 }, { x: null, y: 1 }], [{}, { y: 1 }]),
  check({ type: 'object', required: ['x'], additionalProperties: { type: 'integer' } }, [{ x: 1 }], [{ x: 'a' }, {}]),
  check(
    object({ 'foo\nbar': {}, 'foo"bar': {}, 'foo\\bar': {}, 'a/b': {}, é: {} }, { additionalProperties: false }),
    [{ 'foo\nbar': 1, 'foo"bar': 2, 'foo\\bar': 3, 'a/b': 4, é: 5 }],
    [{ foo: 1 }],
  ),
  check(
    object({ toString: { type: 'integer' }, length: { type: 'string' } }),
    [{ toString: 1, length: 'x' }, {}],
    [{ toString: 'x' }],
  ),
  check(
    { type: 'object', patternProperties: { '^a': { type: 'integer' } } },
    [{}, { a: 1, ab: 2, x: 'y' }],
    [{ ab: 'x' }],
  ),
  check(
    { type: 'object', patternProperties: { '^a': { type: 'integer' } }, additionalProperties: false },
    [{}, { a: 1, ab: 2 }],
    [{ b: 1 }, { a: 'x' }],
  ),
  check(
    { type: 'object', patternProperties: { a: { type: 'integer' }, b: { maximum: 5 } } },
    [{ a: 9, b: 5, ab: 3 }],
    [{ ab: 9 }, { b: 6 }],
  ),
  check(
    object({ abc: { type: 'integer' } }, { patternProperties: { '^a': { minimum: 5 } } }),
    [{ abc: 5 }, { abc: 7, ax: 'y' }],
    [{ abc: 3 }],
  ),
  check({ type: 'object', minProperties: 1 }, [{ a: 1 }, { a: 1, b: 2 }], [{}]),
  check({ type: 'object', maxProperties: 1 }, [{}, { a: 1 }], [{ a: 1, b: 2 }]),
  check(
    object({ a: {}, b: {}, c: {} }, { minProperties: 2, maxProperties: 2 }),
    [
      { a: 1, b: 1 },
      { a: 1, c: 1 },
      { a: 1, x: 1 },
    ],
    [{ a: 1 }, { a: 1, b: 1, c: 1 }, {}],
  ),
  check({ type: 'object', propertyNames: { maxLength: 3 } }, [{}, { abc: 1 }], [{ abcd: 1 }]),
  check(
    { type: 'object', propertyNames: { enum: ['x', 'y'] }, additionalProperties: { type: 'integer' } },
    [{}, { x: 1, y: 2 }],
    [{ z: 1 }],
  ),
  check({ type: 'object', propertyNames: { pattern: '^[a-z]+$' } }, [{ abc: 1 }], [{ A: 1 }, { '': 1 }]),
  check(
    object({ a: object({ b: object({ c: { const: 1 } }, { required: ['c'] }) }) }),
    [{ a: { b: { c: 1 } } }, { a: {} }],
    [{ a: { b: {} } }],
  ),
  check(object({ no: false, yes: true }), [{ yes: 1 }, {}], [{ no: 1 }]),
  // Combinations.
  check({ anyOf: [{ type: 'integer' }, { minimum: 2 }] }, [1, 2.5, 3, 'a'], [1.5]),
  check({ anyOf: [string({}), { type: 'null' }] }, ['a', null], [1]),
  check(string({ anyOf: [{ maxLength: 2 }, { minLength: 4 }] }), ['', 'ab', 'abcd'], ['abc']),
  check(
    {
      anyOf: [
        object({ a: { type: 'integer' } }, { required: ['a'] }),
        object({ b: { type: 'string' } }, { required: ['b'] }),
      ],
    },
    [{ a: 1 }, { b: 'x' }, { a: 1, b: 'x' }],
    [{}, { c: 1 }],
  ),
  check({ anyOf: [true, { type: 'integer' }] }, [1, 'a'], []),
  check({ anyOf: [false, { type: 'integer' }] }, [1], ['a']),
  check({ oneOf: [{ type: 'integer' }, { type: 'string' }] }, [1, 'a'], [1.5, null]),
  check({ oneOf: [{ const: 'a' }, { const: 'b' }] }, ['a', 'b'], ['c']),
  check({ oneOf: [string({ maxLength: 2 }), string({ minLength: 3 })] }, ['ab', 'abc'], [1]),
  check(
    {
      oneOf: [
        { type: 'integer', maximum: 0 },
        { type: 'integer', exclusiveMinimum: 0 },
      ],
    },
    [0, 1, -1],
    [1.5],
  ),
  check({ oneOf: [string({ pattern: '^a' }), string({ pattern: '^b' })] }, ['ab', 'ba'], ['c']),
  check(
    {
      oneOf: [
        object({ t: { const: 1 } }, { required: ['t'] }),
        object({ t: { const: 2 }, u: {} }, { required: ['t'] }),
      ],
    },
    [{ t: 1 }, { t: 2, u: 3 }],
    [{ t: 3 }, {}],
  ),
  check(
    {
      oneOf: [
        object({ a: {} }, { required: ['a'], additionalProperties: false }),
        object({ b: {} }, { required: ['b'], additionalProperties: false }),
      ],
    },
    [{ a: 1 }, { b: 1 }],
    [{ a: 1, b: 1 }, {}],
  ),
  check({ oneOf: [array({}, { maxItems: 1 }), array({}, { minItems: 2 })] }, [[], [1], [1, 2]], ['a']),
  check(
    {
      allOf: [
        object({ a: { type: 'integer' } }, { required: ['a'] }),
        object({ b: { type: 'string' } }, { required: ['b'] }),
      ],
    },
    [{ a: 1, b: 'x' }],
    [{ a: 1 }, { b: 'x' }, { a: 'x', b: 'x' }],
  ),
  check(
    {
      allOf: [
        object({ a: { minimum: 1 } }),
        object({ a: { type: 'integer', maximum: 3 } }, { additionalProperties: false }),
      ],
    },
    [{ a: 2 }, {}],
    [{ a: 0 }, { a: 4 }, { b: 1 }],
  ),
  check(
    { allOf: [{ anyOf: [{ type: 'integer' }, string({})] }, { anyOf: [string({}), { type: 'null' }] }] },
    ['a'],
    [1, null],
  ),
  check({ allOf: [true, { type: 'integer' }] }, [1], ['a']),
  check(
    object({ a: {} }, { allOf: [{ required: ['a'] }, { properties: { a: { type: 'string' } } }] }),
    [{ a: 'x' }],
    [{}, { a: 1 }],
  ),
  // References.
  check({ $ref: '#/$defs/a', $defs: { a: { type: 'integer' } } }, [1], ['a']),
  check({ $ref: '#/definitions/a', definitions: { a: { $ref: '#/definitions/b' }, b: string({}) } }, ['x'], [1]),
  check(object({ a: { $ref: '#/properties/b' }, b: { type: 'integer' } }), [{ a: 1, b: 2 }], [{ a: 'x' }]),
  check({ $ref: '#/$defs/a~1b~0c%25', $defs: { 'a/b~c%': { type: 'integer' } } }, [1], ['x']),
  check({ $ref: '#/$defs/a', maximum: 5, $defs: { a: { type: 'integer', minimum: 2 } } }, [2, 5], [1, 6]),
  check(
    object({ next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } }, { required: ['next'], additionalProperties: false }),
    [{ next: null }, { next: { next: { next: null } } }],
    [{}, { next: 1 }],
  ),
  check(
    object({ children: array({ $ref: '#' }) }, { additionalProperties: false }),
    [{}, { children: [{}, { children: [] }] }],
    [{ children: [1] }],
  ),
  check(
    TREE,
    [{ value: 1 }, { value: 1, children: [{ value: 2, children: [] }] }],
    [{ children: [] }, { value: 1, children: [{}] }],
  ),
  check(
    EXPRESSION,
    [
      { kind: 'number', value: 1 },
      { kind: 'sum', left: { kind: 'number', value: 1 }, right: { kind: 'number', value: 2 } },
    ],
    [{ kind: 'sum' }, { kind: 'product' }],
  ),
  check(
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'https://example.com/x',
      title: 'T',
      type: 'integer',
      'x-note': 1,
    },
    [1],
    ['a'],
  ),
];

/** Corners like those of the JSON Schema Test Suite, written for what the constraint supports. */
export const SCHEMA_CASES: readonly SchemaCase[] = [...SCALAR_SCHEMA_CASES, ...STRUCTURE_SCHEMA_CASES];
