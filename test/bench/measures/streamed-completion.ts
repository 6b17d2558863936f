import { Readable } from 'node:stream';
import { readEventStream } from 'expertmesh/client/event-stream-reader';

export interface StreamedCompletion {
  /** From the request to the first token. */
  readonly firstMs: number;
  /** Between each token and the one before. */
  readonly gapsMs: readonly number[];
  readonly text: string;
  readonly numTokens: number;
  readonly numCachedTokens: number;
}

interface Chunk {
  readonly choices: readonly { readonly text?: string }[];
  readonly error?: { readonly message: string };
  readonly usage?: {
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
  } | null;
}

/** Streams a text completion and notes when its tokens come. @throws Error with the server's words when it fails. */
export async function streamCompletion(
  url: string,
  body: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): Promise<StreamedCompletion> {
  const startMs = performance.now();
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...body,
      stream: true,
      stream_options: { include_usage: true, continuous_usage_stats: true },
    }),
    ...(signal && { signal }),
  });
  if (!response.ok || response.body === null) throw new Error(`${String(response.status)}: ${await response.text()}`);
  const atMs: number[] = [];
  let text = '';
  let usage: Chunk['usage'];
  for await (const data of readEventStream(Readable.fromWeb(response.body as never))) {
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error !== undefined) throw new Error(chunk.error.message);
    if (chunk.choices.length > 0) atMs.push(performance.now());
    text += chunk.choices[0]?.text ?? '';
    usage = chunk.usage ?? usage;
  }
  return {
    firstMs: (atMs[0] ?? NaN) - startMs,
    gapsMs: atMs.slice(1).map((ms, index) => ms - (atMs[index] ?? NaN)),
    text,
    numTokens: usage?.completion_tokens ?? 0,
    numCachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
  };
}
