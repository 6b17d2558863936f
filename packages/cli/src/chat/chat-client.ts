import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { z } from 'zod';
import { type ChatChunk, resumableChat } from '../client/resumable-chat.js';
import { StreamFailure } from '../client/stream-failure.js';
import { type ChatMessage, type ToolCall } from './chat-messages.js';
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
/** Somebody sits before it. */
const PATIENCE_MS = 10_000;

const modelsSchema = z.object({ data: z.tuple([z.object({ id: z.string() })]).rest(z.unknown()) });
const chunkSchema = z.object({
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish(), reasoning: z.string().nullish(), tool_calls: toolCallDeltas }),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: z.object({ completion_tokens: z.number() }).nullish(),
});

/** OpenAI-style servers of one cluster, as a chat needs them. Errors are ExpertmeshErrors that name an address. */
export class ChatClient {
  readonly #urls: readonly [string, ...string[]];
  readonly #apiKey: string | undefined;

  /** @param urls Where an answer breaks off, the next one goes on with it. */
  constructor([first, ...others]: readonly [string, ...string[]], apiKey?: string) {
    this.#urls = [withoutSlash(first), ...others.map(withoutSlash)];
    this.#apiKey = apiKey;
  }

  /** The first model that is served, by the first server that tells. */
  async firstModel(): Promise<string> {
    const failures: unknown[] = [];
    for (const url of this.#urls)
      try {
        return await this.#modelOf(url);
      } catch (thrown) {
        failures.push(translated(thrown, url));
      }
    throw failures[0];
  }

  /** Streams one answer, over as many servers as it takes; aborting `signal` ends it. */
  async *answer(request: ChatRequest, signal: AbortSignal): AsyncGenerator<ChatEvent, void, void> {
    const options = { urls: this.#urls, apiKey: this.#apiKey, body: toBody(request), signal, patienceMs: PATIENCE_MS };
    const calls = new ToolCallCollector();
    try {
      for await (const chunk of resumableChat(options)) yield* toEvents(chunk, calls);
    } catch (thrown) {
      throw translated(thrown, this.#urls[0]);
    }
  }

  async #modelOf(url: string): Promise<string> {
    const headers = this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` };
    const response = await fetch(`${url}/v1/models`, { headers, signal: AbortSignal.timeout(MODELS_TIMEOUT_MS) });
    if (!response.ok) throw StreamFailure.ofStatus(url, response.status, await response.text());
    return modelsSchema.parse(await response.json()).data[0].id;
  }
}

function* toEvents(chunk: ChatChunk, calls: ToolCallCollector): Generator<ChatEvent, void, void> {
  const { choices, usage } = chunkSchema.parse(chunk);
  for (const { delta, finish_reason: finishReason } of choices) {
    if (delta.reasoning) yield { kind: 'reasoning', text: delta.reasoning };
    if (delta.content) yield { kind: 'content', text: delta.content };
    calls.push(delta.tool_calls ?? []);
    if (finishReason && calls.hasAny) yield { kind: 'calls', calls: calls.take() };
    if (finishReason) yield { kind: 'finish', reason: finishReason };
  }
  if (usage) yield { kind: 'usage', completionTokens: usage.completion_tokens };
}

function translated(thrown: unknown, url: string): ExpertmeshError {
  if (thrown instanceof ExpertmeshError) return thrown;
  const isOfOtherForm = thrown instanceof z.ZodError || thrown instanceof SyntaxError;
  const failure = isOfOtherForm
    ? StreamFailure.foreign(url, 'an answer of another form', thrown)
    : StreamFailure.from(thrown, url);
  return new ExpertmeshError('unavailable', failure.message, { cause: thrown });
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, '');

const toBody = ({ model, messages, enableThinking, tools, temperature, maxTokens }: ChatRequest) => ({
  model,
  messages,
  ...(tools !== undefined && { tools }),
  stream: true,
  stream_options: { include_usage: true },
  chat_template_kwargs: { enable_thinking: enableThinking },
  temperature,
  max_tokens: maxTokens,
});
