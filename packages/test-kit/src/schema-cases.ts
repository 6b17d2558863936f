/** A schema with values that it holds to be valid, members in its order, and others that it does not. */
export interface SchemaCase {
  readonly schema: unknown;
  readonly valid: readonly unknown[];
  readonly invalid: readonly unknown[];
}

const string = (keywords: object) => ({ type: 'string', ...keywords });
const object = (properties: object, keywords: object = {}) => ({ type: 'object', properties, ...keywords });
const array = (items: unknown, keywords: object = {}) => ({ type: 'array', items, ...keywords });

const check = (schema: unknown, valid: readonly unknown[], invalid: readonly unknown[]): SchemaCase => ({
  schema,
  valid,
  invalid,
});

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

/** Corners like those of the JSON Schema Test Suite, written for what the constraint supports. */
export const SCHEMA_CASES: readonly SchemaCase[] = [
  // Types.
  check({ type: 'integer' }, [0, 7, -3, 1234567890123], [1.5, 'a', null, true, [], {}]),
  check({ type: 'number' }, [0, 1.5, -2.25, 1e21, 1e-7, 3], ['1', null, [], {}]),
  check({ type: 'string' }, ['', 'a', 'naïve 日本 🎉', '"\\\n\t\u0001', '/', '<tool_call>'], [1, null, ['a']]),
  check({ type: 'object' }, [{}, { a: 1 }, { a: { b: [null] } }], [[], 'a', null]),
  check({ type: 'array' }, [[], [1, 'a', null, [[]], {}]], [{}, 'a']),
  check({ type: 'boolean' }, [true, false], [0, 1, 'true', null]),
  check({ type: 'null' }, [null], [0, false, '']),
  check({ type: ['integer', 'string'] }, [1, 'a'], [1.5, null, {}]),
  check({ type: ['number', 'integer'] }, [1, 1.5], ['1']),
  check({ type: ['array', 'object', 'null'] }, [[], {}, null], [1, 'a', true]),
  check({ type: ['string'] }, ['a'], [1]),
  check(string({ nullable: true }), ['a', null], [1]),
  check(true, [1, 'a', null, [], {}], []),
  check({}, [1, 'a', null, [1], { a: {} }], []),
  check({ description: 'any', default: 3, examples: [1] }, [1, null, { a: 'b' }], []),
  // Values.
  check({ const: 2 }, [2], [1, 3, '2', 2.5]),
  check({ const: { a: 1, b: [true] } }, [{ a: 1, b: [true] }], [{ a: 1 }, { a: 1, b: [false] }, {}]),
  check({ const: null }, [null], [0, 'null']),
  check({ const: false }, [false], [0, true]),
  check({ const: 'hello\nworld "x"' }, ['hello\nworld "x"'], ['hello', '']),
  check({ const: -0.5 }, [-0.5], [0.5, -1]),
  check({ enum: [1, 'two', null, [3], { four: 4 }] }, [1, 'two', null, [3], { four: 4 }], [2, 'one', [4], {}]),
  check({ enum: ['a', 'ab', 'abc'] }, ['a', 'ab', 'abc'], ['', 'b', 'abcd']),
  check(string({ enum: ['x', 1, 'y'] }), ['x', 'y'], [1, 'z']),
  check({ type: 'integer', enum: [1, 2.5, 3] }, [1, 3], [2.5]),
  check({ enum: ['é', '日本', '🎉'] }, ['é', '日本', '🎉'], ['e', '日']),
  check({ enum: [0, false] }, [0, false], [1, true, null]),
  check({ enum: ['red', 'amber', 'green'], minLength: 4 }, ['amber', 'green'], ['red']),
  check({ type: 'number', enum: [1e3, 0.1] }, [1000, 0.1], [100]),
  // Strings.
  check(string({ minLength: 2 }), ['ab', '🎉🎉', 'abcdef'], ['', 'a', '🎉']),
  check(string({ maxLength: 2 }), ['', 'a', '🎉🎉', '\n\n'], ['abc', '🎉🎉🎉']),
  check(string({ minLength: 3, maxLength: 3 }), ['abc', '日本語', '"""'], ['ab', 'abcd']),
  check(string({ minLength: 0, maxLength: 0 }), [''], ['a']),
  check(string({ maxLength: 1 }), ['\\', '\t', 'é'], ['\\\\']),
  check(string({ maxLength: 300 }), ['x'.repeat(300), ' '.repeat(128)], ['x'.repeat(301)]),
  check(string({ pattern: '^a*$' }), ['', 'a', 'aaaa'], ['b', 'ab']),
  check(string({ pattern: 'a+' }), ['a', 'xxaayy'], ['', 'xyz']),
  check(string({ pattern: '^abc' }), ['abc', 'abcdef'], ['xabc', 'ab']),
  check(string({ pattern: 'abc$' }), ['abc', 'xabc'], ['abcx']),
  check(string({ pattern: '^(a|b)+$' }), ['a', 'abba'], ['', 'c', 'abc']),
  check(string({ pattern: '^a|b$' }), ['a', 'ax', 'b', 'xb'], ['xa', 'bx', '']),
  check(string({ pattern: '^\\d{3}-\\d{2,4}$' }), ['123-45', '123-4567'], ['12-34', '123-45678', 'abc-de']),
  check(string({ pattern: '^\\S+@\\S+$' }), ['a@b', 'x.y@z.w'], ['a b@c', '@']),
  check(string({ pattern: '^[^@]*$' }), ['', 'a b"c\\', 'é'], ['a@b']),
  check(string({ pattern: '^\\p{Lu}\\p{Ll}*$' }), ['Abc', 'Éa', 'Ω'], ['abc', 'ABC', '1']),
  check(string({ pattern: '^\\P{N}$' }), ['a', '日'], ['1', '٣']),
  check(string({ pattern: '^.$' }), ['a', '🎉', '"', '\t'], ['', '\n', 'ab']),
  check(string({ pattern: '^[\\s\\S]$' }), ['a', '\n', '🎉'], ['ab']),
  check(string({ pattern: '^\\w+\\s\\w+$' }), ['foo bar', 'a\tb', 'a\u00a0b'], ['foobar', 'é a']),
  check(string({ pattern: '^a{2}b{1,}c{0,1}$' }), ['aab', 'aabbbc'], ['ab', 'aac', 'aabcc']),
  check(string({ pattern: '^a+?b*?$' }), ['a', 'aab'], ['b']),
  check(string({ pattern: '^(?:ab)(?<n>c)$' }), ['abc'], ['ab']),
  check(string({ pattern: '^\\u00e9\\x41\\n$' }), ['éA\n'], ['eA\n']),
  check(string({ pattern: '^\\u{1F389}$' }), ['🎉'], ['x']),
  check(string({ pattern: '^[\\ud83c\\udf89a]$' }), ['🎉', 'a'], ['b']),
  check(string({ pattern: '^[a\\-z.]+$' }), ['a-z.'], ['b']),
  check(string({ pattern: '^"\\\\$' }), ['"\\'], ['"']),
  check(string({ pattern: '^$' }), [''], ['a']),
  check(string({ pattern: '' }), ['', 'anything'], []),
  check(string({ pattern: '^(\\([0-9]{3}\\))?[0-9]{3}-[0-9]{4}$' }), ['555-1212', '(888)555-1212'], ['(888)5551212']),
  check(string({ pattern: '^[a-z]+$', minLength: 2, maxLength: 4 }), ['ab', 'abcd'], ['a', 'abcde', 'AB']),
  check({ allOf: [string({ pattern: 'a' }), { pattern: 'b' }] }, ['ab', 'ba', 'xaxbx'], ['a', 'b', '']),
  check(
    string({ format: 'date' }),
    ['2024-02-29', '2023-12-31', '2000-02-29'],
    ['2023-02-29', '2023-13-01', '1900-02-29', '23-1-1'],
  ),
  check(
    string({ format: 'date-time' }),
    ['2024-01-31T23:59:59Z', '2024-01-01T00:00:00.123+02:00'],
    ['2024-01-01', '2024-01-01T24:00:00Z'],
  ),
  check(string({ format: 'time' }), ['12:00:00Z', '23:59:59.5-08:00'], ['24:00:00Z', '12:00']),
  check(string({ format: 'duration' }), ['P1Y2M3D', 'PT5M', 'P2W', 'P1DT12H'], ['P', 'PT', '1D']),
  check(string({ format: 'email' }), ['a@b.co', 'first.last+tag@sub.example.com'], ['a', '@b.co', 'a@']),
  check(
    string({ format: 'uuid' }),
    ['123e4567-e89b-12d3-a456-426614174000'],
    ['123e4567', 'g23e4567-e89b-12d3-a456-426614174000'],
  ),
  check(string({ format: 'ipv4' }), ['127.0.0.1', '255.255.255.255'], ['256.0.0.1', '1.2.3', '01.2.3.4']),
  check(
    string({ format: 'ipv6' }),
    ['::1', '2001:db8::8a2e:370:7334', '1:2:3:4:5:6:7:8', '::'],
    ['1:2', ':::', '12345::'],
  ),
  check(string({ format: 'uri' }), ['https://example.com/a?b=c#d', 'mailto:x@y.z', 'urn:isbn:1'], ['example', '//x']),
  check(string({ format: 'hostname' }), ['example.com', 'localhost', 'a-b.c1'], ['-a', 'a_b', 'a..b']),
  check(string({ format: 'json-pointer' }), ['', '/a/b~0c~1d'], ['a', '/~2']),
  check(string({ format: 'password' }), ['', 'x'], [1]),
  // Numbers.
  check({ type: 'integer', minimum: 3 }, [3, 4, 100], [2, -5, 0]),
  check({ type: 'integer', maximum: -3 }, [-3, -4, -1000], [-2, 0, 5]),
  check({ type: 'integer', minimum: -5, maximum: 5 }, [-5, 0, 5], [-6, 6, 50]),
  check({ type: 'integer', exclusiveMinimum: 0, exclusiveMaximum: 10 }, [1, 9], [0, 10, -1]),
  check({ type: 'integer', minimum: 98, maximum: 1203 }, [98, 99, 100, 999, 1000, 1199, 1203], [97, 1204, 2000, 9]),
  check({ type: 'integer', minimum: 1.5, maximum: 3.5 }, [2, 3], [1, 4]),
  check({ type: 'integer', multipleOf: 3 }, [0, 3, -9, 123456], [1, 2, 10]),
  check({ type: 'integer', multipleOf: 4, minimum: 10, maximum: 30 }, [12, 28], [8, 10, 32]),
  check({ type: 'number', multipleOf: 5 }, [0, 15, -25], [3, 7.5]),
  check({ type: 'number', minimum: 1.1 }, [1.1, 1.2, 2, 10.05], [1, 1.0999, 0, -2]),
  check({ type: 'number', maximum: 3 }, [3, 2.999, -7.5, 0], [3.001, 4]),
  check({ type: 'number', exclusiveMaximum: 3 }, [2.99, -1], [3, 3.5]),
  check({ type: 'number', exclusiveMinimum: 1.25 }, [1.26, 2, 1.2501], [1.25, 1.24, 1]),
  check({ type: 'number', minimum: -2.5, maximum: -0.5 }, [-2.5, -1, -0.5, -0.75], [-0.4, -2.6, 0, 1]),
  check({ type: 'number', minimum: 0, maximum: 1 }, [0, 1, 0.5, 0.001], [1.01, -0.1]),
  check({ type: 'number', minimum: 0.001, exclusiveMaximum: 0.01 }, [0.001, 0.0099], [0.01, 0.0005, 0]),
  check({ type: 'number', minimum: 1e-7 }, [1, 0.001], [-1]),
  check({ type: 'integer', minimum: 0, maximum: 0 }, [0], [1, -1]),
  check({ allOf: [{ minimum: 2 }, { type: 'integer', maximum: 4 }] }, [2, 3, 4], [1, 5]),
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
