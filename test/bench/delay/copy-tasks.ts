import { z } from 'zod';
import { BENCH_MODEL } from '../harness/complete-together.js';

/**
 * Questions whose answers stand in the context already, whole or but for some words or places: what prompt lookup is
 * for.
 */
export const COPY_TASKS: readonly BenchTask[] = [
  { before: 'Tell me a short story about a dog.', question: 'Tell me a short story about a dog.' },
  { before: 'Write a story about Mia and a red ball.', question: 'Write a story about Leo and a red ball.' },
  {
    before: 'Write a JavaScript function to return the larger of two numbers.',
    question: 'Write a JavaScript function to return the larger of two numbers.',
  },
  {
    before: 'Write a JavaScript function f to check if a number is even.',
    question: 'Write a JavaScript function f to check if a number is odd.',
  },
  {
    before: 'Write a Python function to multiply two numbers.',
    question: 'Write a Python function to add two numbers.',
  },
  {
    before: 'Write a Python function solve to return the larger of two numbers.',
    question: 'Write a Python function compute to return the larger of two numbers.',
  },
  { before: 'Count from 10 to 19.', question: 'Count from 10 to 19.' },
  { before: 'Count from 10 to 19.', question: 'Count from 13 to 22.' },
];

/** Questions whose answers are nowhere in the context: prompt lookup must cost nothing there. */
export const FRESH_TASKS: readonly BenchTask[] = [
  { question: 'Tell me a short story about Zoe.' },
  { question: 'Write a JavaScript function solve to square a number.' },
  { question: 'Who are you?' },
  { question: 'What can you do?' },
];
const TIMEOUT_MS = 120_000;
const WITHOUT_THINKING = { chat_template_kwargs: { enable_thinking: false } };

/** A question, and one that was answered before it in the same dialogue. */
export interface BenchTask {
  readonly before?: string;
  readonly question: string;
}

/** A prompt, and the answer that the model gives it greedily. */
export interface AnsweredTask {
  readonly promptTokenIds: readonly number[];
  readonly answer: string;
  readonly numAnswerTokens: number;
}

const answerSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
  usage: z.object({ completion_tokens: z.number() }),
});
const tokensSchema = z.object({ tokens: z.array(z.number()) });

/** Asks everything once: the first question of each task for the context, if it has one, and then the second. */
export async function askTasks(url: string, tasks: readonly BenchTask[]): Promise<AnsweredTask[]> {
  const answered: AnsweredTask[] = [];
  for (const { before, question } of tasks) {
    const messages = [...(await firstTurn(url, before)), { role: 'user', content: question }];
    const { tokens } = tokensSchema.parse(await post(url, '/tokenize', { messages, ...WITHOUT_THINKING }));
    answered.push({ promptTokenIds: tokens, ...(await ask(url, messages)) });
  }
  return answered;
}

async function firstTurn(url: string, question: string | undefined): Promise<object[]> {
  if (question === undefined) return [];
  const messages = [{ role: 'user', content: question }];
  return [...messages, { role: 'assistant', content: (await ask(url, messages)).answer }];
}

async function ask(url: string, messages: readonly object[]): Promise<Omit<AnsweredTask, 'promptTokenIds'>> {
  const json = await post(url, '/v1/chat/completions', {
    model: BENCH_MODEL,
    messages,
    temperature: 0,
    ...WITHOUT_THINKING,
  });
  const { choices, usage } = answerSchema.parse(json);
  return { answer: choices[0]?.message.content ?? '', numAnswerTokens: usage.completion_tokens };
}

async function post(url: string, path: string, body: object): Promise<unknown> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`${path}: HTTP ${String(response.status)} ${await response.text()}`);
  return response.json();
}
