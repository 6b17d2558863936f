import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ChatClient, type ChatEvent, type ChatMessage } from './chat-client.js';

export interface ConversationSettings {
  readonly model: string;
  readonly system?: string | undefined;
  readonly temperature?: number | undefined;
  readonly maxTokens?: number | undefined;
}

/** What has been said so far, and how the next answer is asked for. */
export class Conversation {
  enableThinking = true;
  readonly #client: ChatClient;
  readonly #settings: ConversationSettings;
  #messages: ChatMessage[] = [];

  constructor(client: ChatClient, settings: ConversationSettings) {
    this.#client = client;
    this.#settings = settings;
    this.reset();
  }

  reset(): void {
    const { system } = this.#settings;
    this.#messages = system === undefined ? [] : [{ role: 'system', content: system }];
  }

  /**
   * Asks, and passes the answer on as it comes. An answer that is broken off stays in the conversation as far as it was
   * heard; a question without any answer does not.
   *
   * @throws ExpertmeshError `resource_exhausted` when thinking left no room for an answer, and what the client throws.
   */
  async *ask(content: string, signal: AbortSignal): AsyncGenerator<ChatEvent, void, void> {
    const { model, temperature, maxTokens } = this.#settings;
    const { enableThinking } = this;
    const messages: ChatMessage[] = [...this.#messages, { role: 'user', content }];
    let answer = '';
    let isCut = false;
    try {
      const request = { model, messages, enableThinking, temperature, maxTokens };
      for await (const event of this.#client.answer(request, signal)) {
        if (event.kind === 'content') answer += event.text;
        if (event.kind === 'finish') isCut = event.reason === 'length';
        yield event;
      }
      if (isCut && answer === '') throw allThinking(maxTokens);
    } finally {
      if (answer !== '') this.#messages = [...messages, { role: 'assistant', content: answer }];
    }
  }
}

function allThinking(maxTokens: number | undefined): ExpertmeshError {
  const limit = maxTokens === undefined ? "The model's longest answer" : `--max-tokens ${String(maxTokens)}`;
  const remedy =
    `${maxTokens === undefined ? '' : 'Raise it, or '}answer without thinking: ` +
    '--no-think, or /no_think at the prompt';
  return new ExpertmeshError(
    'resource_exhausted',
    `${limit} was used up by thinking before an answer began. ${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}`,
  );
}
