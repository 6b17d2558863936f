import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { qwen3Vocabulary } from '@expertmesh/test-kit/qwen3-vocabulary';
import { RandomAnswers } from '@expertmesh/test-kit/random-answer';
import { RandomSchemas } from '@expertmesh/test-kit/random-schemas';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { compileConstraint } from './compile-constraint.js';

// `npm run test:schemas` draws more.
const NUM_SCHEMAS = Number(process.env['NUM_SCHEMAS'] ?? 50);
const ANSWERS_PER_SCHEMA = 4;

const vocabulary = qwen3Vocabulary();
const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);

describe('answers held to random schemas', () => {
  it(`are valid for ${String(NUM_SCHEMAS)} schemas, whichever allowed tokens are drawn`, { timeout: 1_200_000 }, () => {
    const answers = new RandomAnswers(vocabulary, seededRandom(0));
    let numCut = 0;
    for (let seed = 1; seed <= NUM_SCHEMAS; seed++) {
      const schema = new RandomSchemas(seededRandom(seed)).next();
      const isValid = ajv.compile(schema);
      const compiled = compileConstraint({ kind: 'json_schema', schema }, vocabulary);
      for (let answer = 0; answer < ANSWERS_PER_SCHEMA; answer++) {
        const { text, isFinished } = answers.next(compiled.start());
        if (!isFinished) numCut++;
        else if (!isValid(JSON.parse(text))) {
          expect.fail(
            `seed ${String(seed)}: ${text} against ${JSON.stringify(schema)}: ${ajv.errorsText(isValid.errors)}`,
          );
        }
      }
    }
    expect(numCut).toBeLessThanOrEqual(NUM_SCHEMAS * ANSWERS_PER_SCHEMA * 0.02);
  });
});
