import { type ChatDelta } from '../../generation/generate-chat.js';
import { type AnswerBlock, AnswerBlocks, type BlockEvent } from '../answer-blocks.js';
import {
  closedBlock,
  messageEnding,
  type MessageHead,
  messageObject,
  messageUsage,
  openBlock,
  thinkingSignature,
} from './message-object.js';

/** An event of a streamed message. */
export interface MessageEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A message on its way, as events or at once. */
export class MessageRun {
  readonly #head: MessageHead;
  readonly #blocks = new AnswerBlocks();

  constructor(head: MessageHead) {
    this.#head = head;
  }

  async *events(deltas: AsyncIterable<ChatDelta>): AsyncGenerator<MessageEvent, void, void> {
    let hasBegun = false;
    for await (const delta of deltas) {
      if (!hasBegun) yield* this.#start(delta);
      hasBegun = true;
      for (const event of this.#step(delta)) yield* toMessageEvents(event, this.#head);
      if (delta.finishReason !== undefined) yield* this.#end(delta);
    }
  }

  async whole(deltas: AsyncIterable<ChatDelta>): Promise<object> {
    const content: object[] = [];
    let last: ChatDelta | undefined;
    for await (const delta of deltas) {
      last = delta;
      for (const event of this.#step(delta)) {
        const block = event.type === 'close' ? closedBlock(event.block, this.#head) : undefined;
        if (block !== undefined) content.push(block);
      }
    }
    return messageObject(this.#head, content, last?.usage ?? { promptTokens: 0, completionTokens: 0 }, last);
  }

  *#start({ usage }: ChatDelta): Generator<MessageEvent> {
    yield { type: 'message_start', message: messageObject(this.#head, [], usage) };
    yield { type: 'ping' };
  }

  #step({ parts, finishReason }: ChatDelta): readonly BlockEvent[] {
    const events = parts.flatMap((part) => this.#blocks.push(part));
    return finishReason === undefined ? events : [...events, ...this.#blocks.end()];
  }

  *#end(last: ChatDelta): Generator<MessageEvent> {
    yield { type: 'message_delta', delta: messageEnding(this.#head, last), usage: messageUsage(last.usage) };
    yield { type: 'message_stop' };
  }
}

function toMessageEvents(event: BlockEvent, head: MessageHead): MessageEvent[] {
  const { index, block } = event;
  const deltaEvent = (delta: object): MessageEvent => ({ type: 'content_block_delta', index, delta });
  switch (event.type) {
    case 'open':
      return [{ type: 'content_block_start', index, content_block: openBlock(block) }];
    case 'delta':
      return block.kind === 'reasoning' && head.hidesThinking ? [] : [deltaEvent(textDelta(block.kind, event.text))];
    case 'close': {
      const signature = thinkingSignature(block, head);
      return [
        ...(block.kind === 'reasoning' ? [deltaEvent({ type: 'signature_delta', signature })] : []),
        { type: 'content_block_stop', index },
      ];
    }
  }
}

function textDelta(kind: AnswerBlock['kind'], text: string): object {
  switch (kind) {
    case 'reasoning':
      return { type: 'thinking_delta', thinking: text };
    case 'text':
      return { type: 'text_delta', text };
    case 'call':
      return { type: 'input_json_delta', partial_json: text };
  }
}
