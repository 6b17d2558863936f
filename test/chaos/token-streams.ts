import { readEventStream } from 'expertmesh/client/event-stream-reader';
import { DEMO_MODEL } from '@expertmesh/test-kit/mesh';
import { decidedQuestions } from '../e2e/demo-questions.js';

/** One greedy answer, token by token. */
export interface TokenStream {
  readonly prompt: Prompt;
  readonly tokenIds: number[];
  /** When each token came, on this process's monotonic clock. */
  readonly atMs: number[];
  /** Why it failed; absent where it ended as it should. */
  failedBecause?: string;
  endedMs: number;
}

interface Chunk {
  readonly error?: { readonly message: string };
  readonly choices?: readonly { readonly token_ids?: readonly number[]; readonly finish_reason: string | null }[];
}

/** A question, and how many tokens of its answer cannot turn with rounding: up to its end. */
export interface Prompt {
  readonly tokenIds: readonly number[];
  readonly numDecided: number;
}

/** So many questions with long and clear answers; some are the same. */
export function promptsFor(numStreams: number): readonly Prompt[] {
  const decided = decidedQuestions(NUM_DECIDED);
  return Array.from({ length: numStreams }, (_, index) => {
    const { promptTokenIds = [], answerTokenIds = [] } = decided[index % NUM_DECIDED] ?? {};
    return { tokenIds: promptTokenIds, numDecided: answerTokenIds.length };
  });
}

/** Those of 40 tokens and more. */
const NUM_DECIDED = 16;

/** Asks for a greedy answer of so many tokens. Never rejects: what went wrong is in the stream. */
export function beginStream(
  url: string,
  prompt: Prompt,
  maxTokens: number,
): { stream: TokenStream; ended: Promise<void> } {
  const stream: TokenStream = { prompt, tokenIds: [], atMs: [], endedMs: 0 };
  const ended = follow(url, stream, maxTokens)
    .catch((thrown: unknown) => {
      stream.failedBecause = thrown instanceof Error ? thrown.message : String(thrown);
    })
    .finally(() => {
      stream.endedMs = performance.now();
    });
  return { stream, ended };
}

async function follow(url: string, stream: TokenStream, maxTokens: number): Promise<void> {
  const asked = {
    model: DEMO_MODEL,
    prompt: stream.prompt.tokenIds,
    max_tokens: maxTokens,
    temperature: 0,
    ignore_eos: true,
  };
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...asked, stream: true, return_token_ids: true }),
  });
  if (!response.ok || response.body === null)
    throw new Error(`HTTP ${String(response.status)}: ${await response.text()}`);
  let hasFinished = false;
  for await (const data of readEventStream(response.body)) {
    const { error, choices = [] } = JSON.parse(data) as Chunk;
    if (error !== undefined) throw new Error(error.message);
    for (const { token_ids: tokenIds = [], finish_reason: reason } of choices) {
      stream.tokenIds.push(...tokenIds);
      stream.atMs.push(...tokenIds.map(() => performance.now()));
      hasFinished ||= reason !== null;
    }
  }
  if (!hasFinished) throw new Error('the stream ended before its answer');
}

/** Many greedy answers at a time. */
export class TokenStreams {
  readonly streams: readonly TokenStream[];
  readonly ended: Promise<void>;

  constructor(urls: readonly string[], prompts: readonly Prompt[], maxTokens: number) {
    const begun = prompts.map((prompt, index) => beginStream(urls[index % urls.length] ?? '', prompt, maxTokens));
    this.streams = begun.map(({ stream }) => stream);
    this.ended = Promise.all(begun.map(({ ended }) => ended)).then(() => undefined);
  }

  /** Every stream has so many tokens, or has failed. */
  hasTokens(numTokens: number): boolean {
    return this.streams.every(
      ({ tokenIds, failedBecause }) => failedBecause !== undefined || tokenIds.length >= numTokens,
    );
  }

  get failures(): readonly string[] {
    return this.streams.flatMap(({ failedBecause }) => failedBecause ?? []);
  }

  /** Streams that are not what these are, as far as they have come and the answer is clear. */
  differences(quiet: TokenStreams): readonly string[] {
    return this.#differing(quiet, ({ numDecided }) => numDecided);
  }

  /** The same of all tokens: what a model says after the end of its answer may turn with the last bit of a sum. */
  numDiffering(quiet: TokenStreams): number {
    return this.#differing(quiet, () => Infinity).length;
  }

  #differing(quiet: TokenStreams, upTo: (prompt: Prompt) => number): readonly string[] {
    return this.streams.flatMap(({ tokenIds, prompt }, index) => {
      const right = quiet.streams[index]?.tokenIds ?? [];
      const at = tokenIds.slice(0, upTo(prompt)).findIndex((tokenId, place) => tokenId !== right[place]);
      const [got, wanted] = [String(tokenIds[at]), String(right[at])];
      return at < 0 ? [] : [`stream ${String(index)}: token ${String(at)} is ${got} for ${wanted}`];
    });
  }

  /** The longest that each stream waited for a token around a moment, less its median gap before it. */
  stallsMs(momentMs: number): readonly number[] {
    return this.streams.flatMap(({ atMs }) => {
      const gaps = atMs.slice(1).map((ms, index) => ({ endMs: ms, gapMs: ms - (atMs[index] ?? ms) }));
      const before = gaps.filter(({ endMs }) => endMs < momentMs).map(({ gapMs }) => gapMs);
      const after = gaps.filter(({ endMs }) => endMs >= momentMs).map(({ gapMs }) => gapMs);
      return after.length === 0 ? [] : [Math.max(0, Math.max(...after) - quantile(before, 0.5))];
    });
  }
}

/** The nearest rank; 0 of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
