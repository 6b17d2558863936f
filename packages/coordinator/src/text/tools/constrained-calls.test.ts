import { describe, expect, it } from 'vitest';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { qwen3Vocabulary } from '@expertmesh/test-kit/qwen3-vocabulary';
import { RandomAnswers } from '@expertmesh/test-kit/random-answer';
import { readAnswer } from '@expertmesh/test-kit/read-answer';
import { compileConstraint } from '../../sampling/grammar/compile-constraint.js';
import { type Constraint } from '../../sampling/grammar/constraint.js';
import { AnswerParser } from '../answer-parser.js';

const parameters = {
  type: 'object',
  properties: {
    n: { type: 'integer' },
    on: { type: 'boolean' },
    name: { type: 'string', maxLength: 12 },
    tags: { type: 'array', items: { enum: ['a', 'b'] }, maxItems: 2 },
  },
  required: ['n', 'on'],
  additionalProperties: false,
};
const tools = [{ name: 'set', parameters, strict: true }];
const vocabulary = qwen3Vocabulary();

/** So many answers that a constraint allows, as they are read. */
function answersOf(constraint: Constraint & { readonly kind: 'tool_calls' }, count: number) {
  const random = new RandomAnswers(vocabulary, seededRandom(1));
  const compiled = compileConstraint(constraint, vocabulary);
  const toolOffer = { format: constraint.format, tools };
  return Array.from({ length: count }, () => random.next(compiled.start()))
    .filter(({ isFinished }) => isFinished)
    .map(({ text }) => readAnswer(() => new AnswerParser({ startsInThinking: false, toolOffer }), text));
}

const SECONDS_60 = { timeout: 60_000 };

describe.each(['hermes', 'qwen3_coder_xml'] as const)('%s calls that a constraint has made', SECONDS_60, (format) => {
  it('are read as calls, with the arguments of their schema', () => {
    const answers = answersOf({ kind: 'tool_calls', format, tools, mode: 'required', parallel: false }, 4);
    expect(answers).toHaveLength(4);
    for (const { content, calls } of answers) {
      expect(content).toBe('');
      for (const [name, args] of calls) {
        expect(name).toBe('set');
        expect(JSON.parse(args)).toMatchObject({ n: expect.any(Number) as number, on: expect.any(Boolean) as boolean });
      }
    }
  });

  it('stand in place of content that the constraint wants else', () => {
    const content = { kind: 'choice', choices: ['yes', 'no'] } as const;
    const answers = answersOf({ kind: 'tool_calls', format, tools, mode: 'auto', parallel: false, content }, 16);
    const withCalls = answers.filter(({ calls }) => calls.length > 0);
    const others = answers.filter(({ calls }) => calls.length === 0);
    expect(withCalls.every((answer) => answer.content === '')).toBe(true);
    expect(new Set(others.map((answer) => answer.content))).toEqual(new Set(['yes', 'no']));
    expect(withCalls.length).toBeGreaterThan(0);
  });
});
