import { z } from 'zod';
import { BENCH_MODEL } from '../harness/complete-together.js';

/** Questions whose answers stand in the context already, whole or but for a word: what prompt lookup is for. */
const COPY_TASKS: readonly { readonly before: string; readonly question: string }[] = [
  { before: 'Tell me a short story about a dog.', question: 'Tell me a short story about a dog.' },
  {
    before: 'Write a JavaScript function to return the larger of two numbers.',
    question: 'Write a JavaScript function to return the larger of two numbers.',
  },
  {
    before: 'Write a Python function to multiply two numbers.',
    question: 'Write a Python function to add two numbers.',
  },
  { before: 'Count from 10 to 19.', question: 'Count from 10 to 19.' },
];
const TIMEOUT_MS = 120_000;
const WITHOUT_THINKING = { chat_template_kwargs: { enable_thinking: false } };

/** A prompt, and the answer that the model gives it greedily. */
export interface CopyTask {
  readonly promptTokenIds: readonly number[];
  readonly answer: string;
  readonly numAnswerTokens: number;
}

const answerSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
  usage: z.object({ completion_tokens: z.number() }),
});
const tokensSchema = z.object({ tokens: z.array(z.number()) });

/** Asks everything once: the first question of each task for the context, and then the second. */
export async function askCopyTasks(url: string): Promise<CopyTask[]> {
  const tasks: CopyTask[] = [];
  for (const { before, question } of COPY_TASKS) {
    const first = await ask(url, [{ role: 'user', content: before }]);
    const messages = [
      { role: 'user', content: before },
      { role: 'assistant', content: first.answer },
      { role: 'user', content: question },
    ];
    const { tokens } = tokensSchema.parse(await post(url, '/tokenize', { messages, ...WITHOUT_THINKING }));
    tasks.push({ promptTokenIds: tokens, ...(await ask(url, messages)) });
  }
  return tasks;
}

async function ask(url: string, messages: readonly object[]): Promise<Omit<CopyTask, 'promptTokenIds'>> {
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
