import { readEventStream } from 'expertmesh/client/event-stream-reader';
import { questionsOf, type Domain, type Half, type Question } from './demo-domains.js';

/** Between two pieces of one answer. */
export interface TokenGap {
  /** On performance.now's clock, in milliseconds. */
  readonly endMs: number;
  readonly gapMs: number;
}

const MAX_TOKENS = 160;

/** Clients that ask one question of a domain after another until they are stopped. */
export class DomainLoad {
  readonly gaps: TokenGap[] = [];
  #isStopped = false;
  /** Never resolves; rejects when a request has failed. */
  readonly failed: Promise<never>;
  readonly #clients: Promise<unknown>;

  constructor(url: string, domain: Domain, half: Half, numClients: number, seed: number) {
    const questions = questionsOf(domain, half, seed);
    this.#clients = Promise.all(Array.from({ length: numClients }, () => this.#askOn(url, questions)));
    this.failed = this.#clients.then(() => new Promise<never>(() => undefined));
    this.failed.catch(() => undefined);
  }

  /** Resolves when all answers have ended; fails when a request did. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#clients;
  }

  async #askOn(url: string, questions: Generator<Question, never, void>): Promise<void> {
    while (!this.#isStopped) await this.#ask(url, questions.next().value);
  }

  async #ask(url: string, { text, enableThinking }: Question): Promise<void> {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        messages: [{ role: 'user', content: text }],
        max_tokens: MAX_TOKENS,
        temperature: 0,
        stream: true,
        chat_template_kwargs: { enable_thinking: enableThinking },
      }),
    });
    if (!response.ok || response.body === null) throw new Error(`HTTP ${String(response.status)} for "${text}"`);
    let lastMs: number | undefined;
    for await (const data of readEventStream(response.body)) {
      if (data.includes('"error"')) throw new Error(`an answer broke off: ${data}`);
      const endMs = performance.now();
      if (lastMs !== undefined) this.gaps.push({ endMs, gapMs: endMs - lastMs });
      lastMs = endMs;
    }
  }
}
