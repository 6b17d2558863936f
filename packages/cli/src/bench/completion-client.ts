import { Readable } from 'node:stream';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { keyHeaders } from '@expertmesh/shared/rpc/client';
import { z } from 'zod';
import { apiKeyOf } from '../network/api-key.js';
import { readEventStream } from '../client/event-stream-reader.js';

export interface CompletionRequest {
  readonly model: string;
  readonly promptTokenIds: readonly number[];
  /** Exactly this many tokens are generated: the end of an answer is ignored. */
  readonly numTokens: number;
  readonly seed: number;
  /** Absent: as the model recommends. */
  readonly temperature?: number | undefined;
}

const TOKENIZE_TIMEOUT_MS = 30_000;
/** A request may wait for its turn and then decode slowly; what lasts longer than this counts as failed. */
const COMPLETION_TIMEOUT_MS = 3_600_000;

const errorSchema = z.object({ error: z.object({ message: z.string() }) });
const tokensSchema = z.object({ tokens: z.array(z.number()) });
const chunkSchema = z.union([errorSchema, z.object({ usage: z.object({ completion_tokens: z.number() }).nullish() })]);

/** Text completions of an OpenAI-style server that takes token ids and has /tokenize, as this one and vLLM do. */
export class CompletionClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url.replace(/\/+$/, '');
  }

  async tokenize(model: string, prompt: string): Promise<number[]> {
    const answer = await this.#post('/tokenize', { model, prompt }, AbortSignal.timeout(TOKENIZE_TIMEOUT_MS));
    const parsed = tokensSchema.safeParse(await answer.json());
    if (parsed.success) return parsed.data.tokens;
    throw new ExpertmeshError('unimplemented', `${this.#url}/tokenize does not answer with a list of tokens`);
  }

  /**
   * Streams one completion. Yields how many tokens there are so far, each time that some have arrived.
   *
   * @throws ExpertmeshError `unavailable` with the server's words, `cancelled` after an abort of `signal`.
   */
  async *complete(request: CompletionRequest, signal: AbortSignal): AsyncGenerator<number, void, void> {
    try {
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(COMPLETION_TIMEOUT_MS)]);
      const answer = await this.#post('/v1/completions', toBody(request), bounded);
      for await (const data of readEventStream(answer.body ?? Readable.from([]))) {
        const chunk = chunkSchema.parse(JSON.parse(data));
        if ('error' in chunk) throw new ExpertmeshError('unavailable', chunk.error.message);
        if (chunk.usage) yield chunk.usage.completion_tokens;
      }
    } catch (thrown) {
      if (signal.aborted) throw new ExpertmeshError('cancelled', 'interrupted', { cause: thrown });
      throw this.#translate(thrown);
    }
  }

  async #post(path: string, body: object, signal: AbortSignal): Promise<Response> {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...keyHeaders(apiKeyOf(process.env)) },
      body: JSON.stringify(body),
      signal,
    };
    let response: Response;
    try {
      response = await fetch(this.#url + path, init);
    } catch (thrown) {
      throw this.#translate(thrown);
    }
    if (response.ok) return response;
    const text = await response.text();
    throw new ExpertmeshError(
      'unavailable',
      `HTTP ${String(response.status)}: ${messageOf(text) ?? text.slice(0, 200)}`,
    );
  }

  #translate(thrown: unknown): ExpertmeshError {
    if (thrown instanceof ExpertmeshError) return thrown;
    if (thrown instanceof z.ZodError || thrown instanceof SyntaxError)
      return new ExpertmeshError('unavailable', `${this.#url} sent what is no completion`, { cause: thrown });
    const { name, message, cause } = thrown as Error;
    const reason = name === 'TimeoutError' ? 'no end within the time limit' : message;
    const detail = cause instanceof Error && cause.message !== '' ? ` (${cause.message})` : '';
    return new ExpertmeshError('unavailable', `${this.#url}: ${reason}${detail}`, { cause: thrown });
  }
}

// The usage comes with every chunk, as one chunk may bring several tokens.
const toBody = ({ model, promptTokenIds, numTokens, seed, temperature }: CompletionRequest): object => ({
  model,
  prompt: promptTokenIds,
  max_tokens: numTokens,
  ignore_eos: true,
  seed,
  temperature,
  stream: true,
  stream_options: { include_usage: true, continuous_usage_stats: true },
});

function messageOf(text: string): string | undefined {
  try {
    return errorSchema.parse(JSON.parse(text)).error.message;
  } catch {
    // Not one of our errors: a proxy's page, say.
    return undefined;
  }
}
