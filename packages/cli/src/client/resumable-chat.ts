import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChunkDelta, HeardAnswer } from './heard-answer.js';
import { readEventStream } from './event-stream-reader.js';
import { StreamFailure } from './stream-failure.js';

export interface ResumableChatOptions {
  /** Coordinators that share their workers, or one of them; asked in turn. */
  readonly urls: readonly [string, ...string[]];
  readonly apiKey?: string | undefined;
  /** The body of POST /v1/chat/completions, for one answer. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal | undefined;
  /** Given up when no new token has come for so long, however often it was asked; 60 s if absent. */
  readonly patienceMs?: number | undefined;
  /** A coordinator writes something every 10 s: one that is silent for longer hangs. 20 s if absent. */
  readonly silenceMs?: number | undefined;
  /** Told of each failure after which the answer is asked for again. */
  readonly onResume?: ((failure: StreamFailure, numTokens: number) => void) | undefined;
}

/** A `chat.completion.chunk`, as far as it is looked at here; the rest is passed on as it came. */
export interface ChatChunk {
  readonly choices: readonly ChunkChoice[];
  readonly usage?: { readonly completion_tokens: number } | null;
}

export interface ChunkChoice {
  readonly delta: ChunkDelta;
  readonly finish_reason?: string | null;
  readonly token_ids?: readonly number[];
}

const PATIENCE_MS = 60_000;
const SILENCE_MS = 20_000;
/** Before the first coordinator is asked again after all have failed. */
const ROUND_PAUSE_MS = 250;

/**
 * Streams the answer to a chat request, also when the coordinator that writes it dies: another one goes on from the
 * tokens that have come, and every piece of text is passed on once. The continuation is what the first coordinator
 * would have written, greedy or drawn: requests without a seed draw by the idempotency key.
 *
 * @throws StreamFailure for what asking again does not mend, and after `patienceMs` without a token
 */
export async function* resumableChat(options: ResumableChatOptions): AsyncGenerator<ChatChunk, void, void> {
  const { urls, patienceMs = PATIENCE_MS, onResume, signal } = options;
  const attempt = new ChatAttempts(options);
  let [numTokens, progressMs] = [0, performance.now()];
  for (let index = 0; ; index++) {
    const url = urls[index % urls.length] ?? urls[0];
    try {
      return yield* attempt.stream(url);
    } catch (thrown) {
      signal?.throwIfAborted();
      const failure = StreamFailure.from(thrown, url);
      if (attempt.numTokens > numTokens) [numTokens, progressMs] = [attempt.numTokens, performance.now()];
      if (!failure.mayPass || performance.now() - progressMs > patienceMs) throw failure;
      onResume?.(failure, numTokens);
    }
    if ((index + 1) % urls.length === 0) await sleep(ROUND_PAUSE_MS, undefined, signal && { signal });
  }
}

/** One answer, asked for as often as it takes. */
class ChatAttempts {
  readonly #options: ResumableChatOptions;
  readonly #key = randomUUID();
  readonly #heard = new HeardAnswer();
  /** The reason has been told; what follows is usage, maybe. */
  #hasFinished = false;

  constructor(options: ResumableChatOptions) {
    this.#options = options;
  }

  get numTokens(): number {
    return this.#heard.tokenIds.length;
  }

  async *stream(url: string): AsyncGenerator<ChatChunk, void, void> {
    const { silenceMs = SILENCE_MS, signal } = this.#options;
    const silence = new AbortController();
    const timer = setTimeout(() => {
      silence.abort(new StreamFailure(`${url} has been silent for ${String(silenceMs / 1000)} s`, true));
    }, silenceMs);
    try {
      const signals = AbortSignal.any([silence.signal, ...(signal === undefined ? [] : [signal])]);
      const response = await this.#post(url, signals);
      this.#heard.beginStream();
      yield* this.#chunks(heardBytes(response.body ?? Readable.from([]), timer), url);
    } catch (thrown) {
      throw silence.signal.aborted ? silence.signal.reason : thrown;
    } finally {
      clearTimeout(timer);
      // What is left of the answer is wanted no more.
      silence.abort();
    }
  }

  async *#chunks(body: AsyncIterable<Uint8Array>, url: string): AsyncGenerator<ChatChunk, void, void> {
    const events = readEventStream(body);
    let event = await events.next();
    for (; event.done !== true; event = await events.next()) {
      const news = this.#news(chunkOf(event.value, url));
      if (news !== undefined) yield news;
    }
    if (!event.value) throw new StreamFailure(`${url}: the connection broke off in the middle of the answer`, true);
  }

  #news(chunk: ChatChunk): ChatChunk | undefined {
    const choices = chunk.choices.flatMap((choice) => this.#newsOf(choice) ?? []);
    return choices.length === 0 && chunk.choices.length > 0 ? undefined : { ...chunk, choices };
  }

  #newsOf(choice: ChunkChoice): ChunkChoice | undefined {
    this.#heard.hearTokens(choice.token_ids ?? []);
    const delta = this.#heard.news(choice.delta);
    if (choice.finish_reason && !this.#hasFinished) {
      this.#hasFinished = true;
      return { ...choice, delta: delta ?? {} };
    }
    return delta && { ...choice, delta };
  }

  async #post(url: string, signal: AbortSignal): Promise<Response> {
    const { body, apiKey } = this.#options;
    const { tokenIds } = this.#heard;
    const resumed = tokenIds.length === 0 ? {} : { resume_token_ids: tokenIds };
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': this.#key,
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify({ request_id: this.#key, ...body, ...resumed, stream: true, return_token_ids: true }),
      signal,
    });
    if (!response.ok) throw StreamFailure.ofStatus(url, response.status, await response.text());
    if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) return response;
    throw StreamFailure.foreign(url, 'no event stream');
  }
}

async function* heardBytes(body: AsyncIterable<Uint8Array>, silence: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  for await (const bytes of body) {
    silence.refresh();
    yield bytes;
  }
}

function chunkOf(data: string, url: string): ChatChunk {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch (cause) {
    throw StreamFailure.foreign(url, 'an answer of another form', cause);
  }
  if (isChunk(chunk)) return chunk;
  throw StreamFailure.ofEvent(url, data);
}

const isChunk = (value: unknown): value is ChatChunk =>
  typeof value === 'object' && value !== null && 'choices' in value && Array.isArray(value.choices);
