import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ChatClient, type ChatEvent } from './chat-client.js';
import { type AssistantMessage, type ChatMessage, type ToolCall } from './chat-messages.js';

export interface ConversationSettings {
  readonly model: string;
  readonly system?: string | undefined;
  readonly temperature?: number | undefined;
  readonly maxTokens?: number | undefined;
  /** Function definitions that go along with every question. */
  readonly tools?: readonly object[] | undefined;
}

/** `results`: the calls are answered, and the model goes on. */
export type ConversationEvent = ChatEvent | { readonly kind: 'results' };

/** Answers a call of the model; what it throws ends the answer. */
export type AnswerCall = (call: ToolCall, signal: AbortSignal) => Promise<string>;

/** Calls that follow each other without a word from the user. */
const MAX_ROUNDS = 32;

/** What has been said so far, and how the next answer is asked for. */
export class Conversation {
  enableThinking = true;
  readonly #client: ChatClient;
  readonly #settings: ConversationSettings;
  #messages: readonly ChatMessage[] = [];

  constructor(client: ChatClient, settings: ConversationSettings) {
    this.#client = client;
    this.#settings = settings;
    this.reset();
  }

  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  reset(): void {
    const { system } = this.#settings;
    this.#messages = system === undefined ? [] : [{ role: 'system', content: system }];
  }

  /** Goes on with a conversation that was saved, under the instructions of this one if it has any. */
  resume(messages: readonly ChatMessage[]): void {
    const { system } = this.#settings;
    this.reset();
    const resumed = system === undefined ? messages : messages.filter(({ role }) => role !== 'system');
    this.#messages = [...this.#messages, ...resumed];
  }

  /**
   * Asks, and passes the answer on as it comes, until there is one without calls. An answer that is broken off stays in
   * the conversation as far as it was heard; a question without any answer does not.
   *
   * @throws ExpertmeshError `resource_exhausted` when thinking left no room for an answer or calls find no end, and
   * what the client and `answerCall` throw.
   */
  async *ask(
    content: string,
    signal: AbortSignal,
    answerCall: AnswerCall = noTools,
  ): AsyncGenerator<ConversationEvent, void, void> {
    let messages: readonly ChatMessage[] = [...this.#messages, { role: 'user', content }];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const answer = yield* this.#answer(messages, signal);
      const { tool_calls: calls } = answer;
      if (calls === undefined) return;
      messages = [...messages, answer];
      for (const call of calls) {
        const result = await answerCall(call, signal);
        messages = [...messages, { role: 'tool', tool_call_id: call.id, content: result }];
      }
      this.#messages = messages;
      yield { kind: 'results' };
    }
    throw new ExpertmeshError('resource_exhausted', `The model called tools ${String(MAX_ROUNDS)} times in a row`);
  }

  /** One answer, which is remembered unless it waits for the results of calls. */
  async *#answer(
    messages: readonly ChatMessage[],
    signal: AbortSignal,
  ): AsyncGenerator<ChatEvent, AssistantMessage, void> {
    const { maxTokens } = this.#settings;
    const heard = new HeardAnswer();
    try {
      const request = { ...this.#settings, messages, enableThinking: this.enableThinking };
      for await (const event of this.#client.answer(request, signal)) {
        heard.add(event);
        yield event;
      }
      if (heard.isAllThinking) throw allThinking(maxTokens);
    } finally {
      const { message } = heard;
      if (message.content !== '' && message.tool_calls === undefined) this.#messages = [...messages, message];
    }
    return heard.message;
  }
}

/** An answer as far as it has come. */
class HeardAnswer {
  #content = '';
  #reasoning = '';
  #calls: readonly ToolCall[] = [];
  #isCut = false;

  add(event: ChatEvent): void {
    if (event.kind === 'content') this.#content += event.text;
    if (event.kind === 'reasoning') this.#reasoning += event.text;
    if (event.kind === 'calls') this.#calls = event.calls;
    if (event.kind === 'finish') this.#isCut = event.reason === 'length';
  }

  get isAllThinking(): boolean {
    return this.#isCut && this.#content === '' && this.#calls.length === 0;
  }

  /** With its thinking only where it goes on after calls; a call that was cut is no call. */
  get message(): AssistantMessage {
    const base = { role: 'assistant', content: this.#content } as const;
    if (this.#isCut || this.#calls.length === 0) return base;
    const thinking = this.#reasoning === '' ? {} : { reasoning_content: this.#reasoning };
    return { ...base, ...thinking, tool_calls: [...this.#calls] };
  }
}

const noTools: AnswerCall = ({ function: { name } }) =>
  Promise.reject(new ExpertmeshError('failed_precondition', `The model calls ${name}, but no tools were offered`));

function allThinking(maxTokens: number | undefined): ExpertmeshError {
  const limit = maxTokens === undefined ? "The model's longest answer" : `--max-tokens ${String(maxTokens)}`;
  const raise = maxTokens === undefined ? '' : 'Raise it, or ';
  const remedy = `${raise}answer without thinking: --no-think, or /no_think at the prompt`;
  return new ExpertmeshError(
    'resource_exhausted',
    `${limit} was used up by thinking before an answer began. ${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}`,
  );
}
