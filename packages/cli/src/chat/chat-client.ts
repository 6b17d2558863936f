import { Readable } from 'node:stream';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { z } from 'zod';
import { type ChatMessage, type ToolCall } from './chat-messages.js';
import { readEventStream } from './event-stream-reader.js';
import { ToolCallCollector, toolCallDeltas } from './tool-call-collector.js';

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly enableThinking: boolean;
  /** Function definitions, as their file has them. */
  readonly tools?: readonly object[] | undefined;
  /** Absent fields are the server's defaults. */
  readonly temperature?: number | undefined;
  readonly maxTokens?: number | undefined;
}

export type ChatEvent =
  | { readonly kind: 'reasoning' | 'content'; readonly text: string }
  | { readonly kind: 'calls'; readonly calls: readonly ToolCall[] }
  | { readonly kind: 'finish'; readonly reason: string }
  | { readonly kind: 'usage'; readonly completionTokens: number };

const MODELS_TIMEOUT_MS = 10_000;
/** What a proxy answers with while the server behind it is away. */
const PROXY_STATUSES: readonly number[] = [502, 503, 504];

const errorSchema = z.object({ error: z.object({ message: z.string() }) });
const modelsSchema = z.object({ data: z.tuple([z.object({ id: z.string() })]).rest(z.unknown()) });
const chunkSchema = z.union([
  errorSchema,
  z.object({
    choices: z.array(
      z.object({
        delta: z.object({ content: z.string().nullish(), reasoning: z.string().nullish(), tool_calls: toolCallDeltas }),
        finish_reason: z.string().nullish(),
      }),
    ),
    usage: z.object({ completion_tokens: z.number() }).nullish(),
  }),
]);

/** An OpenAI-style server, as a chat needs it. Errors are ExpertmeshErrors that name the server's address. */
export class ChatClient {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, apiKey?: string) {
    this.#url = url.replace(/\/+$/, '');
    this.#headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  }

  /** The first model that is served. */
  async firstModel(): Promise<string> {
    try {
      const response = await this.#fetch('/v1/models', { signal: AbortSignal.timeout(MODELS_TIMEOUT_MS) });
      return modelsSchema.parse(await response.json()).data[0].id;
    } catch (thrown) {
      throw this.#translate(thrown);
    }
  }

  /**
   * Streams one answer; aborting `signal` ends it. A server that is silent for five minutes is given up by fetch
   * itself.
   */
  async *answer(request: ChatRequest, signal: AbortSignal): AsyncGenerator<ChatEvent, void, void> {
    try {
      const response = await this.#fetch('/v1/chat/completions', {
        method: 'POST',
        body: JSON.stringify(toBody(request)),
        signal,
      });
      if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true)
        throw this.#foreign('no event stream');
      const calls = new ToolCallCollector();
      for await (const data of readEventStream(response.body ?? Readable.from([]))) yield* this.#toEvents(data, calls);
    } catch (thrown) {
      throw this.#translate(thrown);
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = { 'content-type': 'application/json', ...this.#headers };
    const response = await fetch(this.#url + path, { ...init, headers });
    if (response.ok) return response;
    const text = await response.text();
    const message = errorMessage(text);
    if (message !== undefined) throw this.#unavailable(message);
    const status = `HTTP ${String(response.status)}`;
    throw PROXY_STATUSES.includes(response.status) ? this.#unavailable(status) : this.#foreign(status);
  }

  *#toEvents(data: string, calls: ToolCallCollector): Generator<ChatEvent, void, void> {
    const chunk = chunkSchema.parse(JSON.parse(data));
    if ('error' in chunk) throw this.#unavailable(chunk.error.message);
    for (const { delta, finish_reason: finishReason } of chunk.choices) {
      if (delta.reasoning) yield { kind: 'reasoning', text: delta.reasoning };
      if (delta.content) yield { kind: 'content', text: delta.content };
      calls.push(delta.tool_calls ?? []);
      if (finishReason && calls.hasAny) yield { kind: 'calls', calls: calls.take() };
      if (finishReason) yield { kind: 'finish', reason: finishReason };
    }
    if (chunk.usage) yield { kind: 'usage', completionTokens: chunk.usage.completion_tokens };
  }

  #translate(thrown: unknown): ExpertmeshError {
    if (thrown instanceof ExpertmeshError) return thrown;
    if (thrown instanceof z.ZodError || thrown instanceof SyntaxError) {
      return this.#foreign('an answer of another form', thrown);
    }
    // fetch says "fetch failed" before a connection stands, and "terminated" when it breaks off.
    const broke = thrown instanceof TypeError && thrown.message === 'terminated';
    if (broke) return this.#unavailable('the connection broke off in the middle of the answer', thrown);
    const message = `No server answers at ${this.#url}. Start one with "expertmesh up", or name another with --url`;
    return new ExpertmeshError('unavailable', message, { cause: thrown });
  }

  #foreign(found: string, cause?: unknown): ExpertmeshError {
    const message = `What answers at ${this.#url} is not an Expertmesh server (${found}): name one with --url`;
    return new ExpertmeshError('unavailable', message, { cause });
  }

  #unavailable(message: string, cause?: unknown): ExpertmeshError {
    return new ExpertmeshError('unavailable', `${this.#url}: ${message}`, { cause });
  }
}

const toBody = ({ model, messages, enableThinking, tools, temperature, maxTokens }: ChatRequest): object => ({
  model,
  messages,
  ...(tools !== undefined && { tools }),
  stream: true,
  stream_options: { include_usage: true },
  chat_template_kwargs: { enable_thinking: enableThinking },
  temperature,
  max_tokens: maxTokens,
});

function errorMessage(text: string): string | undefined {
  try {
    return errorSchema.parse(JSON.parse(text)).error.message;
  } catch {
    // Not one of our errors: a proxy's page, say.
    return undefined;
  }
}
