import { type ChatDelta } from '../../generation/generate-chat.js';
import { AnswerBlocks, type BlockEvent } from '../answer-blocks.js';
import { itemEvents, type ResponseEvent } from './item-events.js';
import { closedItem, type EndStatus, type OutputItem, type ThinkingForm } from './output-items.js';
import { type ResponseHead, type ResponseObject, responseObject, type ResponseState } from './response-object.js';

/** A response on its way: its events, and what there is of it so far. */
export class ResponseRun {
  readonly #head: ResponseHead;
  readonly #form: ThinkingForm;
  readonly #onEnd: (response: ResponseObject) => void;
  readonly #blocks = new AnswerBlocks();
  readonly #output: OutputItem[] = [];
  #numEvents = 0;

  /** `onEnd` gets the whole response before its last event is given out. */
  constructor(head: ResponseHead, onEnd: (response: ResponseObject) => void) {
    const { reasoning, include } = head.request;
    this.#head = head;
    this.#onEnd = onEnd;
    this.#form = {
      asSummary: (reasoning?.summary ?? reasoning?.generate_summary) !== undefined,
      isCarried: include?.includes('reasoning.encrypted_content') ?? false,
    };
  }

  /** The events of an answer; the last one has the whole response. */
  async *events(deltas: AsyncIterable<ChatDelta>): AsyncGenerator<ResponseEvent, void, void> {
    for await (const delta of deltas) {
      if (this.#numEvents === 0) {
        yield this.#stateEvent('response.created', { status: 'in_progress' });
        yield this.#stateEvent('response.in_progress', { status: 'in_progress' });
      }
      for (const part of delta.parts) yield* this.#itemEvents(this.#blocks.push(part));
      if (delta.finishReason !== undefined) yield* this.#endEvents(delta);
    }
  }

  /** The last event of an answer that fails half-way. */
  failure(error: { readonly code: string; readonly message: string }): ResponseEvent {
    return this.#stateEvent('response.failed', { status: 'failed', error });
  }

  *#endEvents({ finishReason, usage }: ChatDelta): Generator<ResponseEvent> {
    const status = finishReason === 'length' ? 'incomplete' : 'completed';
    yield* this.#itemEvents(this.#blocks.end(), status);
    const last = this.#stateEvent(`response.${status}`, { status, usage });
    this.#onEnd(last.response);
    yield last;
  }

  *#itemEvents(blockEvents: readonly BlockEvent[], status: EndStatus = 'completed'): Generator<ResponseEvent> {
    for (const event of blockEvents) {
      if (event.type === 'close') this.#output.push(closedItem(event.block, status, this.#form));
      for (const itemEvent of itemEvents(event, this.#form, status)) yield this.#numbered(itemEvent);
    }
  }

  #stateEvent(type: string, state: ResponseState) {
    return this.#numbered({ type, response: responseObject(this.#head, [...this.#output], state) });
  }

  #numbered<Event extends ResponseEvent>(event: Event): Event & { readonly sequence_number: number } {
    return { ...event, sequence_number: this.#numEvents++ };
  }
}
