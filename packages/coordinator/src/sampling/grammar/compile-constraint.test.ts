import { describe, expect, it } from 'vitest';
import { qwen3Vocabulary } from '@expertmesh/test-kit/qwen3-vocabulary';
import { compileConstraint } from './compile-constraint.js';
import type { Constraint } from './constraint.js';
import type { ConstraintState } from './constraint-state.js';

const vocabulary = qwen3Vocabulary();
const { endTokenIds, tokenBytes } = vocabulary;
const [endToken = 0] = endTokenIds;

const schema = {
  type: 'object',
  properties: { name: { type: 'string', maxLength: 3 }, kind: { enum: ['cat', 'dog'] } },
  required: ['name', 'kind'],
  additionalProperties: false,
};

/** Tokens of single bytes, so that a text can be written without a tokenizer. */
const tokenOfByte = new Map<number, number>();
for (let id = 0; id < vocabulary.vocabSize; id++) {
  const [byte, ...others] = tokenBytes.get(id);
  if (byte !== undefined && others.length === 0) tokenOfByte.set(byte, id);
}

describe('a mask', { timeout: 60_000 }, () => {
  it.each(['', '{"name', '{"name": "', '{"name": "ab', '{"name": "abc"', '{"name": "", "kind": "c', '  {'])(
    'after %j allows exactly the tokens that can be accepted',
    (text) => {
      const state = stateAfter({ kind: 'json_schema', schema }, text);
      const mask = state.mask().slice();
      // Every 23rd token, and those of one byte.
      for (let token = 0; token < vocabulary.vocabSize; token++) {
        if (token % 23 !== 0 && tokenBytes.get(token).length > 1) continue;
        if (isIn(mask, token) !== canAccept(state, token)) expect.fail(`token ${String(token)}`);
      }
    },
  );

  it.each(['"', '"a', '"a.', '"a.b', '"a@', '"a@b', '"a@b.c'])('after %j of an email allows just those', (text) => {
    const state = stateAfter({ kind: 'json_schema', schema: { type: 'string', format: 'email' } }, text);
    for (let token = 0; token < vocabulary.vocabSize; token += 3) {
      if (isIn(state.mask(), token) !== canAccept(state, token)) expect.fail(`token ${String(token)}`);
    }
  });

  it('never allows special tokens and padding, and allows end tokens only where the answer may end', () => {
    const inText = stateAfter({ kind: 'json_schema', schema }, '{"name": "');
    for (const token of vocabulary.specialTokenIds) expect(isIn(inText.mask(), token)).toBe(false);
    expect(isIn(inText.mask(), 151_900)).toBe(false);
    const complete = stateAfter({ kind: 'json_schema', schema }, '{"name": "", "kind": "cat"}');
    expect(complete.isComplete).toBe(true);
    expect(complete.isFinished).toBe(true);
    expect(tokensIn(complete.mask())).toEqual(endTokenIds.toSorted((a, b) => a - b));
  });
});

describe('a state', { timeout: 60_000 }, () => {
  it('refuses tokens that its mask forbids', () => {
    const state = compileConstraint({ kind: 'json_schema', schema }, vocabulary).start();
    expect(() => state.accept(endToken)).toThrow(/cannot end here/);
    expect(() => state.accept(151_644)).toThrow(/no part of an answer/);
    expect(() => state.accept(tokenOfByte.get(0x5b) ?? 0)).toThrow(/cannot follow/);
  });

  it('takes nothing after the end', () => {
    const state = stateAfter({ kind: 'regex', pattern: 'a*' }, 'aa');
    state.accept(endToken);
    expect(state.isFinished).toBe(true);
    expect(() => state.accept(tokenOfByte.get(0x61) ?? 0)).toThrow(/no part of an answer/);
  });

  it('goes on apart from its clone', () => {
    const state = stateAfter({ kind: 'json_schema', schema }, '{"name": "a');
    const clone = state.clone();
    write(state, 'bc", "kind": "dog"}');
    expect(state.isComplete).toBe(true);
    write(clone, '"');
    expect(clone.isComplete).toBe(false);
  });

  it('knows the bytes that must follow', () => {
    const forced = (constraint: Constraint, text: string): string =>
      Buffer.from(stateAfter(constraint, text).forcedBytes()).toString();
    const compact = { kind: 'json_schema', schema, whitespace: 'compact' } as const;
    expect(forced(compact, '')).toBe('{"name":"');
    expect(forced(compact, '{"name":"ab')).toBe('');
    expect(forced(compact, '{"name":"abc')).toBe('","kind":"');
    expect(forced(compact, '{"name":"a"')).toBe(',"kind":"');
    expect(forced(compact, '{"name":"a","kind":"d')).toBe('og"}');
    expect(forced({ kind: 'json_schema', schema }, '{"n')).toBe('ame"');
    expect(forced({ kind: 'regex', pattern: 'a+' }, 'a')).toBe('');
  });

  it('is the same with and without a warm-up', () => {
    const constraint = { kind: 'json_schema', schema: { ...schema, title: 'warm' } } as const;
    const compiled = compileConstraint(constraint, vocabulary);
    const before = compiled.start().mask().slice();
    expect([...compiled.warmUp()].length).toBeGreaterThan(10);
    expect(compiled.start().mask()).toEqual(before);
    expect(compileConstraint(constraint, vocabulary)).toBe(compiled);
  });
});

describe('texts of a constraint', { timeout: 60_000 }, () => {
  const regex = (pattern: string): Constraint => ({ kind: 'regex', pattern });
  const gbnf = (source: string): Constraint => ({ kind: 'grammar', source });
  const arithmetic = gbnf(`
    # Recursion on both sides, and within.
    root ::= sum "\\n"?
    sum  ::= sum [+-] product | product
    product ::= factor (" "* "*" " "* factor)*
    factor ::= [0-9]+ | "(" sum ")"
  `);
  const brackets = gbnf(
    'root ::= list{2,3}\nlist ::= "[" (item ("," item)*)? "]"\nitem ::= list | \'x\' | "\\u00e9" | .',
  );
  it.each<readonly [Constraint, readonly string[], readonly string[]]>([
    [{ kind: 'json_object' }, ['{}', ' {"a": [1, {"b": null}]}'], ['[]', '{a: 1}', '{"a": 01}', '{"a": 1,}', 'x']],
    [{ kind: 'choice', choices: ['yes', 'yes!', 'nö'] }, ['yes', 'yes!', 'nö'], ['', 'ye', 'no', 'yes!!']],
    [regex('\\d{3}-\\d{4}'), ['555-1234'], ['5555-1234', '555-123', 'x555-1234']],
    [regex('^(a|bc)*$'), ['', 'abc', 'bcbca'], ['b', 'ac']],
    [regex('[^\\x00-\\x7F]+\\p{P}'), ['日本。', 'é!'], ['a!', '!']],
    [arithmetic, ['1', '1+2*3', '(1-2)*(3+4)-5', '((7))\n'], ['', '1+', '(1', '1)', '1 + 2']],
    [brackets, ['[][]', '[x,é][[[],x]][日]'], ['[]', '[][][][]', '[xx][]', '[x']],
  ])('of %j are taken and no others', (constraint, taken, refused) => {
    for (const text of taken) expect(isTaken(constraint, text), text).toBe(true);
    for (const text of refused) expect(isTaken(constraint, text), text).toBe(false);
  });
});

describe('what is not supported', { timeout: 60_000 }, () => {
  const json = (of: unknown): Constraint => ({ kind: 'json_schema', schema: of });
  const properties = (a: unknown): Constraint => json({ type: 'object', properties: { 'a/b': a } });
  it.each<readonly [Constraint, RegExp]>([
    [properties({ not: {} }), /#\/properties\/a~1b: keyword "not" is not supported/],
    [properties({ type: 'array', uniqueItems: true }), /a~1b: keyword "uniqueItems"/],
    [properties({ if: {}, then: {} }), /keyword "if"/],
    [properties({ type: 'array', contains: {} }), /keyword "contains"/],
    [json({ $defs: { x: { dependentRequired: {} } }, $ref: '#/$defs/x' }), /#\/\$defs\/x: keyword "dependentRequired"/],
    [json({ type: 'number', multipleOf: 0.01 }), /multipleOf 0.01/],
    [json({ type: 'string', format: 'idn-email' }), /format "idn-email" is not supported/],
    [json({ type: 'string', pattern: '(?=a)b' }), /#\/pattern: lookaround/],
    [json({ type: 'string', pattern: '(a)\\1' }), /back references/],
    [json({ type: 'string', pattern: '\\bx' }), /word boundaries/],
    [json({ type: 'string', pattern: 'a^b' }), /anchor/],
    [json({ type: 'string', pattern: '[a' }), /a class without/],
    [json({ type: 'strin' }), /type "strin" is none of/],
    [json({ $ref: 'other.json' }), /\$ref "other.json" is not supported/],
    [json({ $ref: '#/$defs/none' }), /leads nowhere/],
    [json({ $ref: '#' }), /refers to itself/],
    [json({ oneOf: [{ type: 'integer' }, { type: 'number' }] }), /#\/oneOf: branches 0 and 1 may both hold/],
    [json({ type: 'object', minProperties: 3 }), /minProperties 3/],
    [json({ type: 'integer', minimum: 3, maximum: 2 }), /no answer satisfies/],
    [json({ type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }), /no answer satisfies/],
    [json({ allOf: [{ type: 'string', pattern: '^a' }, { pattern: '^b' }] }), /no answer satisfies/],
    [json('x'), /a schema is an object or a boolean/],
    [{ kind: 'regex', pattern: '(?i)a' }, /regex: flags/],
    [{ kind: 'choice', choices: [] }, /at least one choice/],
    [{ kind: 'grammar', source: 'root ::= "a" b' }, /no rule b/],
    [{ kind: 'grammar', source: 'main ::= "a"' }, /no rule root/],
    [{ kind: 'grammar', source: 'start: "a"' }, /Lark/],
    [{ kind: 'grammar', source: 'root ::= a\na ::= b "x" | "y"\nb ::= a "z" | "w"' }, /may begin with itself/],
  ])('in %j is refused by name', (constraint, message) => {
    expect(() => compileConstraint(constraint, vocabulary)).toThrow(message);
  });
});

function stateAfter(constraint: Constraint, text: string): ConstraintState {
  const state = compileConstraint(constraint, vocabulary).start();
  write(state, text);
  return state;
}

function write(state: ConstraintState, text: string): void {
  for (const byte of Buffer.from(text)) state.accept(tokenOfByte.get(byte) ?? 0);
}

function isTaken(constraint: Constraint, text: string): boolean {
  const state = compileConstraint(constraint, vocabulary).start();
  for (const byte of Buffer.from(text)) {
    const token = tokenOfByte.get(byte) ?? 0;
    if (!isIn(state.mask(), token)) return false;
    state.accept(token);
  }
  return state.isComplete;
}

function canAccept(state: ConstraintState, token: number): boolean {
  try {
    state.clone().accept(token);
    return true;
  } catch {
    return false;
  }
}

function isIn(mask: Uint32Array, token: number): boolean {
  return (((mask[token >> 5] ?? 0) >>> (token & 31)) & 1) === 1;
}

function tokensIn(mask: Uint32Array): number[] {
  return Array.from({ length: vocabulary.vocabSize }, (_, token) => token).filter((token) => isIn(mask, token));
}

describe('a list of choices', () => {
  it('may be long, and so may what they share', () => {
    const choices = Array.from({ length: 20_000 }, (_, index) => `${'x'.repeat(100)}${String(index)}`);
    const startMs = performance.now();
    expect(() => {
      compileConstraint({ kind: 'choice', choices: [...choices, 'y'.repeat(100_000)] }, vocabulary);
    }).not.toThrow();
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });

  it.each([
    ['ab', true],
    ['abcd', true],
    ['abce', true],
    ['b', true],
    ['a', false],
    ['abc', false],
    ['abcf', false],
  ])('takes %j: %s', (text, isOne) => {
    expect(isTaken({ kind: 'choice', choices: ['b', 'abcd', 'ab', 'abce', 'ab'] }, text)).toBe(isOne);
  });
});
