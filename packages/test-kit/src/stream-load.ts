import type OpenAI from 'openai';
import { type DemoAnswer } from './demo-answers.js';
import { DEMO_MODEL } from './mesh.js';
import { pause } from './process.js';

const GREEDY = { max_tokens: 100, temperature: 0 } as const;
/** Between two questions of a stream that was refused, as a client would. */
const PAUSE_AFTER_FAILURE_MS = 100;

/** What came of the questions that were asked under load. */
export interface LoadReport {
  readonly numAnswers: number;
  /** Each with its reason, and what had been streamed by then. */
  readonly failures: readonly StreamFailure[];
  /** Answers that are not the right one, in words. */
  readonly wrong: readonly string[];
}

export interface StreamFailure {
  readonly question: string;
  readonly message: string;
  readonly textBefore: string;
  readonly rightText: string;
}

/**
 * Clients that ask one question after the other, greedy and streaming, until they are stopped: as many streams as there
 * are questions, over the coordinators in turn.
 */
export class StreamLoad {
  readonly #streams: Promise<unknown>;
  readonly #failures: StreamFailure[] = [];
  readonly #wrong: string[] = [];
  #numAnswers = 0;
  #numBegun = 0;
  #isStopping = false;

  constructor(clients: readonly OpenAI[], questions: readonly DemoAnswer[]) {
    this.#streams = Promise.all(
      questions.map(async (question, index) => {
        for (let round = index; !this.#isStopping; round++) await this.#ask(clients[round % clients.length], question);
      }),
    );
  }

  get numAnswers(): number {
    return this.#numAnswers;
  }

  get failures(): readonly StreamFailure[] {
    return this.#failures;
  }

  /** Resolves when every stream that there is now has ended, and as many have begun since. */
  async round(): Promise<void> {
    const [numBegun, numEnded] = [this.#numBegun, this.#numEnded];
    while (!this.#isStopping && this.#numEnded - numEnded < 2 * (numBegun - numEnded)) await pause(20);
  }

  /** Lets the streams that run end. */
  async stop(): Promise<LoadReport> {
    this.#isStopping = true;
    await this.#streams;
    return { numAnswers: this.#numAnswers, failures: this.#failures, wrong: this.#wrong };
  }

  get #numEnded(): number {
    return this.#numAnswers + this.#failures.length;
  }

  async #ask(client: OpenAI | undefined, { question, answerText }: DemoAnswer): Promise<void> {
    if (client === undefined) throw new Error('nobody to ask');
    this.#numBegun += 1;
    const told: string[] = [];
    try {
      for await (const piece of streamAnswer(client, question)) told.push(piece);
      this.#numAnswers += 1;
      const text = told.join('');
      if (text !== answerText) this.#wrong.push(`${question}\n  expected ${answerText}\n  got      ${text}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#failures.push({ question, message, textBefore: told.join(''), rightText: answerText });
      await pause(PAUSE_AFTER_FAILURE_MS);
    }
  }
}

// A field beyond OpenAI's API, which its types do not know.
interface WithReasoning {
  readonly reasoning?: string | null;
}

/** The pieces of a greedy answer as the model wrote it, thinking included. */
export async function* streamAnswer(client: OpenAI, question: string): AsyncGenerator<string, void, undefined> {
  const stream = await client.chat.completions.create({
    model: DEMO_MODEL,
    messages: [{ role: 'user', content: question }],
    stream: true,
    ...GREEDY,
  });
  let place: 'start' | 'reasoning' | 'content' = 'start';
  for await (const chunk of stream) {
    const delta = chunk.choices[0]?.delta;
    const { reasoning } = (delta ?? {}) as WithReasoning;
    if (reasoning) {
      yield place === 'start' ? `<think>\n${reasoning}` : reasoning;
      place = 'reasoning';
    } else if (delta?.content) {
      yield place === 'reasoning' ? `\n</think>\n\n${delta.content}` : delta.content;
      place = 'content';
    }
  }
}
