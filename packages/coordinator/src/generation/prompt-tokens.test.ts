import { expect, it } from 'vitest';
import { promptTokens } from './prompt-tokens.js';

const encoded: string[] = [];
const model = {
  tokenizer: {
    maxTokenBytes: 4,
    encode: (text: string) => {
      encoded.push(text);
      return Promise.resolve([1]);
    },
  },
  engine: { limits: { maxModelLen: 10 } },
} as unknown as Parameters<typeof promptTokens>[0];

it('refuses by its size what cannot fit, before it is tokenised, unless only its end is kept', async () => {
  const [fits, isLong] = ['é'.repeat(60), 'é'.repeat(61)];
  await promptTokens(model, fits, false);
  expect(() => promptTokens(model, isLong, false)).toThrow(
    expect.objectContaining({ code: 'invalid_argument', requestCode: 'context_length_exceeded' }),
  );
  await promptTokens(model, isLong, true);
  expect(encoded).toEqual([fits, isLong]);
});
