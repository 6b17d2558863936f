import { expect, it } from 'vitest';
import { type AnswerRequest } from './answer-request.js';
import { checkAnswerRequest } from './check-answer-request.js';

const request: AnswerRequest = {
  promptTokenIds: [1],
  maxTokens: 5,
  stopTokenIds: [],
  sampling: {
    temperature: 1,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
  },
};
const thinking = { begins: 'inside', openTokenId: 1, closeTokenId: 2, closingTokenIds: [2] } as const;

it.each<[string, Partial<AnswerRequest>]>([
  ['logit_bias: token id 10 is not in the vocabulary (0 to 9)', { controls: { logitBias: new Map([[10, 1]]) } }],
  ['logit_bias: a bias must be a finite number', { controls: { logitBias: new Map([[1, Infinity]]) } }],
  ['bad_words: a word has no tokens', { controls: { badWords: [[1], []] } }],
  ['bad_words: token id -1', { controls: { badWords: [[1, -1]] } }],
  ['allowed_token_ids: the list is empty', { controls: { allowedTokenIds: [] } }],
  ['allowed_token_ids: token id 0.5', { controls: { allowedTokenIds: [0.5] } }],
  ['min_tokens: must be an integer from 0 to max_tokens (5); it is 6', { controls: { minTokens: 6 } }],
  ['logprobs: must be an integer from 0 to 10, or -1', { logprobs: { answer: 11 } }],
  ['prompt_logprobs: must be an integer', { logprobs: { prompt: -2 } }],
  [
    'thinking_token_budget: must be an integer of at least 0; it is -1',
    { thinking: { ...thinking, budgetTokens: -1 } },
  ],
  ['no token that closes thinking', { thinking: { ...thinking, budgetTokens: 1, closingTokenIds: [] } }],
])('refuses by name: %s', (message, fields) => {
  expect(() => {
    checkAnswerRequest({ ...request, ...fields }, 10);
  }).toThrow(message);
});

it('takes what can be sampled', () => {
  const controls = { logitBias: new Map([[9, -100]]), badWords: [[1, 2]], allowedTokenIds: [0], minTokens: 5 };
  const asked = { controls, logprobs: { answer: 0, prompt: -1 }, thinking: { ...thinking, budgetTokens: 0 } };
  expect(() => {
    checkAnswerRequest({ ...request, ...asked }, 10);
  }).not.toThrow();
});
