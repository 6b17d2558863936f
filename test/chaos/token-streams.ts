import { readEventStream } from 'expertmesh/client/event-stream-reader';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';
import { DEMO_MODEL } from '@expertmesh/test-kit/mesh';

/** One greedy answer, token by token. */
export interface TokenStream {
  readonly prompt: string;
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

/** So many different prompts. */
export function promptsFor(numStreams: number): readonly string[] {
  const questions = loadDemoAnswers().map(({ question }) => question);
  return Array.from(
    { length: numStreams },
    (_, index) => `${questions[index % questions.length] ?? ''} (${String(index)})`,
  );
}

/** Asks for a greedy answer of so many tokens. Never rejects: what went wrong is in the stream. */
export function beginStream(
  url: string,
  prompt: string,
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
  const asked = { model: DEMO_MODEL, prompt: stream.prompt, max_tokens: maxTokens, temperature: 0, ignore_eos: true };
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

  constructor(urls: readonly string[], prompts: readonly string[], maxTokens: number) {
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

  /** Those that are not what these are, as far as they have come. */
  differences(quiet: TokenStreams): readonly string[] {
    return this.streams.flatMap(({ tokenIds, prompt }, index) => {
      const right = quiet.streams[index]?.tokenIds ?? [];
      const at = tokenIds.findIndex((tokenId, place) => tokenId !== right[place]);
      return at < 0 ? [] : [`${prompt}: token ${String(at)} is ${String(tokenIds[at])} for ${String(right[at])}`];
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
