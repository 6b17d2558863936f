import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ThreadClient } from '@expertmesh/shared/threads/thread-client';
import { type LongTextContract } from './long-text-contract.js';

/** Characters of texts that may wait: some tens of seconds of work at the worst, and most of it memory otherwise. */
const MAX_WAITING_CHARS = 32 * 1024 * 1024;

export type EncodeText = (text: string) => Promise<number[]>;

/**
 * Tokenises long texts in a thread of its own, so that whoever serves others is not kept by one text. The thread starts
 * with the first text, since its tokenizer takes memory, and stays.
 */
export class LongTexts {
  readonly #modelDir: string;
  #started: Promise<ThreadClient<LongTextContract>> | undefined;
  #waitingChars = 0;

  constructor(modelDir: string) {
    this.#modelDir = modelDir;
  }

  /** @throws ExpertmeshError `resource_exhausted` where too much waits already; what loadTokenizer throws. */
  readonly encode: EncodeText = async (text) => {
    if (this.#waitingChars > 0 && this.#waitingChars + text.length > MAX_WAITING_CHARS)
      throw new ExpertmeshError(
        'resource_exhausted',
        `texts of ${String(this.#waitingChars)} characters wait to be tokenised, at most ` +
          `${String(MAX_WAITING_CHARS)} may: send this one again later`,
      );
    this.#waitingChars += text.length;
    try {
      const thread = await this.#thread();
      return Array.from(await thread.request('encode', text));
    } finally {
      this.#waitingChars -= text.length;
    }
  };

  async close(): Promise<void> {
    const started = await this.#started?.catch(() => undefined);
    await started?.terminate();
  }

  /** One that has died is replaced when the next text comes. */
  #thread(): Promise<ThreadClient<LongTextContract>> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async #start(): Promise<ThreadClient<LongTextContract>> {
    const forget = (): void => {
      this.#started = undefined;
    };
    const entry = new URL('./long-text-thread.js', import.meta.url);
    const data = { modelDir: this.#modelDir };
    const options = { name: 'the thread for long texts', entry, data, on: {}, onDeath: forget };
    try {
      const { thread } = await ThreadClient.start<LongTextContract>(options);
      return thread;
    } catch (thrown) {
      forget();
      throw thrown;
    }
  }
}
