import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { QWEN3_TOKENIZER_DIR, qwen3Vocabulary } from '@expertmesh/test-kit/qwen3-vocabulary';
import { SCHEMA_CASES } from '@expertmesh/test-kit/schema-cases';
import { loadTokenizer } from '../../text/tokenizer.js';
import { compileConstraint } from './compile-constraint.js';
import type { JsonWhitespace } from './constraint.js';

const vocabulary = qwen3Vocabulary();
const tokenizer = await loadTokenizer(QWEN3_TOKENIZER_DIR);

const ajv = new Ajv2020({ strict: false, ownProperties: true });
addFormats.default(ajv);

/** JSON as programs and models write it. */
const WRITINGS: readonly ((value: unknown) => string)[] = [
  (value) => JSON.stringify(value),
  (value) => JSON.stringify(value, null, 2),
  (value) => JSON.stringify(value, null, '\t'),
];

describe.each(SCHEMA_CASES)('the schema $schema', ({ schema, valid, invalid }) => {
  const isValid = ajv.compile(schema as object | boolean);

  it('lets every valid value be written, in the tokens of the tokenizer', async () => {
    for (const value of valid) {
      expect(isValid(value), `ajv on ${JSON.stringify(value)}`).toBe(true);
      for (const write of WRITINGS) expect(await isAccepted(schema, write(value)), write(value)).toBe(true);
      expect(await isAccepted(schema, JSON.stringify(value), 'compact'), JSON.stringify(value)).toBe(true);
    }
  });

  it('lets no invalid value be written', async () => {
    for (const value of invalid) {
      expect(isValid(value), `ajv on ${JSON.stringify(value)}`).toBe(false);
      expect(await isAccepted(schema, JSON.stringify(value)), JSON.stringify(value)).toBe(false);
    }
  });
});

async function isAccepted(schema: unknown, text: string, whitespace: JsonWhitespace = 'free'): Promise<boolean> {
  const state = compileConstraint({ kind: 'json_schema', schema, whitespace }, vocabulary).start();
  for (const token of await tokenizer.encode(text)) {
    const mask = state.mask();
    if ((((mask[token >> 5] ?? 0) >>> (token & 31)) & 1) === 0) return false;
    state.accept(token);
  }
  return state.isComplete;
}
