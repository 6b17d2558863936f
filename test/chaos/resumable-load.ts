import { resumableChat } from 'expertmesh/client/resumable-chat';
import { type DemoAnswer } from '@expertmesh/test-kit/demo-answers';
import { DEMO_MODEL } from '@expertmesh/test-kit/mesh';
import { pause } from '@expertmesh/test-kit/process';

const GREEDY = { max_tokens: 100, temperature: 0 } as const;
const PAUSE_AFTER_FAILURE_MS = 200;

export interface ResumableReport {
  readonly numAnswers: number;
  /** How often an answer was asked for again. */
  readonly numResumed: number;
  /** Answers that were given up, each with its reason. */
  readonly failures: readonly string[];
  /** Answers that are not the right one. */
  readonly wrong: readonly string[];
  /** The longest time to the end of an answer, or to its failure. */
  readonly longestMs: number;
}

/** Clients that use the helper and ask one question after the other until they are stopped. */
export class ResumableLoad {
  readonly #urls: () => readonly [string, ...string[]];
  readonly #patienceMs: number;
  readonly #streams: Promise<unknown>;
  readonly #failures: string[] = [];
  readonly #wrong: string[] = [];
  #numAnswers = 0;
  #numResumed = 0;
  #longestMs = 0;
  #isStopping = false;

  /** @param urls Of the coordinators as they are now: one that was started again listens elsewhere. */
  constructor(urls: () => readonly [string, ...string[]], questions: readonly DemoAnswer[], patienceMs: number) {
    this.#urls = urls;
    this.#patienceMs = patienceMs;
    this.#streams = Promise.all(questions.map((question, index) => this.#askOn(question, index)));
  }

  get numAnswers(): number {
    return this.#numAnswers;
  }

  async stop(): Promise<ResumableReport> {
    this.#isStopping = true;
    await this.#streams;
    return {
      numAnswers: this.#numAnswers,
      numResumed: this.#numResumed,
      failures: this.#failures,
      wrong: this.#wrong,
      longestMs: this.#longestMs,
    };
  }

  async #askOn(question: DemoAnswer, index: number): Promise<void> {
    for (let round = index; !this.#isStopping; round++) {
      const beganMs = performance.now();
      await this.#ask(question, round);
      this.#longestMs = Math.max(this.#longestMs, performance.now() - beganMs);
    }
  }

  async #ask({ question, answerText }: DemoAnswer, round: number): Promise<void> {
    const [first, ...others] = this.#urls();
    const urls =
      round % 2 === 0 || others[0] === undefined ? ([first, ...others] as const) : ([others[0], first] as const);
    const body = { model: DEMO_MODEL, messages: [{ role: 'user', content: question }], ...GREEDY };
    const told = { reasoning: '', content: '' };
    try {
      const onResume = (): number => (this.#numResumed += 1);
      for await (const { choices } of resumableChat({ urls, body, onResume, patienceMs: this.#patienceMs }))
        for (const { delta } of choices) {
          told.reasoning += delta.reasoning ?? '';
          told.content += delta.content ?? '';
        }
      this.#numAnswers += 1;
      const text = `<think>\n${told.reasoning}\n</think>\n\n${told.content}`;
      if (text !== answerText) this.#wrong.push(`${question}\n  expected ${answerText}\n  got      ${text}`);
    } catch (thrown) {
      this.#failures.push(thrown instanceof Error ? thrown.message : String(thrown));
      await pause(PAUSE_AFTER_FAILURE_MS);
    }
  }
}
