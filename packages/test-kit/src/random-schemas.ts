type Schema = boolean | Readonly<Record<string, unknown>>;

/** Draws schemas over the keywords that constrained decoding supports; all of them have valid values. */
export class RandomSchemas {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  next(): Schema {
    const isRecursive = this.#chance(0.15);
    const root = this.#schema(3, isRecursive);
    if (!isRecursive || typeof root === 'boolean') return root;
    // The reference can always be avoided by null.
    return { ...root, $defs: { node: { anyOf: [{ type: 'null' }, this.#object(1, true)] } } };
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<T>(...options: readonly [T, ...T[]]): T {
    return options[this.#below(options.length)] ?? options[0];
  }

  #schema(depth: number, isRecursive: boolean): Schema {
    const scalars = [() => this.#string(), () => this.#number(), () => this.#values(), () => this.#simple()] as const;
    if (depth === 0) return this.#pick(...scalars)();
    const made = this.#pick<() => Schema>(
      ...scalars,
      () => this.#object(depth, isRecursive),
      () => this.#object(depth, isRecursive),
      () => this.#object(depth, isRecursive),
      () => this.#array(depth, isRecursive),
      () => this.#array(depth, isRecursive),
      () => this.#combined(depth, isRecursive),
    )();
    return typeof made === 'object' && this.#chance(0.2) ? { ...made, description: 'said of it', title: 'T' } : made;
  }

  #simple(): Schema {
    return this.#pick<Schema>(
      { type: 'boolean' },
      { type: 'null' },
      { type: ['string', 'null'] },
      { type: ['integer', 'boolean', 'null'] },
      { type: 'string', nullable: true },
      true,
      {},
    );
  }

  #string(): Schema {
    const minLength = this.#below(8);
    const pattern = this.#pick(
      '^[a-z]{2,10}$',
      '^[A-Z][a-z]*( [A-Z][a-z]*)*$',
      '^\\d{3}-\\d{4}$',
      '^(foo|bar|ba[zr]+)$',
      'x',
      '^a',
      'z$',
      '^\\p{L}+$',
      '^[^"\\\\]*$',
      '^\\w+@\\w+\\.(com|org)$',
      '^(\\+|-)?[0-9]{1,6}$',
      '^#[0-9a-fA-F]{6}$',
      '^.{1,20}$',
      '^[\\u00e0-\\u00ff]*$',
      '^$',
    );
    const format = this.#pick(
      'date-time',
      'date',
      'time',
      'email',
      'uuid',
      'ipv4',
      'ipv6',
      'uri',
      'hostname',
      'duration',
    );
    return this.#pick<() => Schema>(
      () => ({ type: 'string' }),
      () => ({ type: 'string', minLength }),
      () => ({ type: 'string', maxLength: this.#below(40) }),
      () => ({ type: 'string', minLength, maxLength: minLength + this.#below(30) }),
      () => ({ type: 'string', pattern }),
      () => ({ type: 'string', pattern: '^[a-z]*$', minLength, maxLength: minLength + this.#below(9) }),
      () => ({ allOf: [{ type: 'string', pattern: '^[ab]+$' }, { pattern: 'a.*b' }] }),
      () => ({ type: 'string', format }),
    )();
  }

  #number(): Schema {
    const low = this.#below(2000) - 1000;
    const high = low + 1 + this.#below(1000);
    const fraction = this.#pick(0.5, 0.25, 0.001, 1e-7, 3.75);
    return this.#pick<() => Schema>(
      () => ({ type: 'integer' }),
      () => ({ type: 'number' }),
      () => ({ type: 'integer', minimum: low, maximum: high }),
      () => ({ type: 'integer', exclusiveMinimum: low, exclusiveMaximum: high + 1 }),
      () => ({ type: 'integer', minimum: low }),
      () => ({ type: 'integer', maximum: high }),
      () => ({ type: 'number', minimum: low, maximum: high }),
      () => ({ type: 'number', exclusiveMinimum: low - fraction, exclusiveMaximum: high + fraction }),
      () => ({ type: 'number', exclusiveMinimum: 0 }),
      () => ({ type: 'number', minimum: -fraction }),
      () => ({ type: 'number', exclusiveMaximum: fraction }),
      () => ({ type: 'integer', multipleOf: this.#pick(2, 3, 5, 7, 10, 25) }),
      () => ({ type: 'number', multipleOf: this.#pick(2, 12), minimum: 0, maximum: 999 }),
    )();
  }

  #values(): Schema {
    return this.#pick<Schema>(
      { enum: ['red', 'green', 'blue'] },
      { type: 'string', enum: ['a', 'ab', 'abc', 'quote"d', 'back\\slash', 'déjà vu', '日本'] },
      { enum: [1, 'one', null, true, 1.5, [1, 2], { a: 1 }] },
      { const: 'fixed' },
      { const: 42 },
      { const: { nested: [true, { deep: 'x' }] } },
      { type: 'integer', enum: [1, 2, 3] },
    );
  }

  #array(depth: number, isRecursive: boolean): Schema {
    const minItems = this.#below(3);
    const items = this.#schema(depth - 1, isRecursive);
    return this.#pick<() => Schema>(
      () => ({ type: 'array', items }),
      () => ({ type: 'array', items, minItems }),
      () => ({ type: 'array', items, minItems, maxItems: minItems + this.#below(4) }),
      () => ({ type: 'array', prefixItems: [this.#schema(0, false), items], items: false, minItems: 2 }),
      () => ({ type: 'array', prefixItems: [items], items: { type: 'integer' } }),
      () => ({ type: 'array', maxItems: 2 }),
    )();
  }

  #object(depth: number, isRecursive: boolean): Record<string, unknown> {
    const names = ['id', 'name', 'a/b', 'naïve', 'with "quotes"', 'value', 'items'].filter(() => this.#chance(0.45));
    const properties = Object.fromEntries(
      names.map((name) => [
        name,
        isRecursive && this.#chance(0.3) ? { $ref: '#/$defs/node' } : this.#schema(depth - 1, false),
      ]),
    );
    const required = names.filter(() => this.#chance(0.6));
    const others = this.#pick<() => Record<string, unknown>>(
      () => ({ additionalProperties: false }),
      () => ({ additionalProperties: false }),
      () => ({}),
      () => ({ additionalProperties: this.#schema(0, false) }),
      () => ({ patternProperties: { '^x-': this.#string(), '[0-9]$': this.#string() }, additionalProperties: false }),
      () => ({ patternProperties: { '^n': {} }, additionalProperties: { type: 'boolean' } }),
      () => ({ maxProperties: required.length + this.#below(4) }),
      () => ({ minProperties: names.length + this.#below(2) }),
      () => ({ additionalProperties: true, propertyNames: { pattern: '^[a-zï/ "]{1,20}$' } }),
    )();
    return { type: 'object', properties, required, ...others };
  }

  #combined(depth: number, isRecursive: boolean): Schema {
    const tagged = (tag: string): Schema => ({
      type: 'object',
      properties: { tag: { const: tag }, [tag]: this.#schema(depth - 1, false) },
      required: ['tag'],
      additionalProperties: false,
    });
    return this.#pick<() => Schema>(
      () => ({ anyOf: [this.#schema(depth - 1, isRecursive), this.#schema(depth - 1, isRecursive)] }),
      () => ({ oneOf: [tagged('cat'), tagged('dog'), tagged('bird')] }),
      () => ({ oneOf: [{ type: 'string', maxLength: 5 }, { type: 'integer' }, { type: 'null' }] }),
      () => ({
        allOf: [
          { type: 'object', properties: { a: this.#schema(depth - 1, false) }, required: ['a'] },
          { type: 'object', properties: { b: this.#schema(depth - 1, false) }, required: ['b'] },
        ],
      }),
      () => ({ allOf: [{ type: 'integer', minimum: 3 }, { maximum: 10 }] }),
      () => ({ type: 'integer', anyOf: [{ maximum: 3 }, { minimum: 1000 }] }),
    )();
  }
}
