import { type AnswerBlock, type BlockEvent } from '../answer-blocks.js';
import {
  closedItem,
  type EndStatus,
  itemId,
  openItem,
  outputText,
  type ThinkingForm,
  thinkingPart,
} from './output-items.js';

/** An event of a streamed response; it gets its `sequence_number` where it is sent. */
export interface ResponseEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What a streamed response says of one step of a block: the item, its part, its text. */
export function itemEvents(event: BlockEvent, form: ThinkingForm, endStatus: EndStatus): ResponseEvent[] {
  const { index, block } = event;
  const output = { output_index: index };
  const place = { item_id: itemId(block), ...output };
  const names = NAMES[partKind(block, form)];
  switch (event.type) {
    case 'open':
      return [
        { type: 'response.output_item.added', ...output, item: openItem(block) },
        ...partEvent(names.partAdded, place, block, form),
      ];
    case 'delta':
      return [{ type: `${names.text}.delta`, ...place, ...names.partIndex, delta: event.text, ...textLogprobs(block) }];
    case 'close':
      return [
        { type: `${names.text}.done`, ...place, ...names.partIndex, ...doneText(block), ...textLogprobs(block) },
        ...partEvent(names.partDone, place, block, form),
        {
          type: 'response.output_item.done',
          ...output,
          item: closedItem(block, endStatus, form),
        },
      ];
  }
}

type PartKind = 'text' | 'thinking' | 'summary' | 'call';

interface EventNames {
  readonly text: string;
  /** Calls have no parts. */
  readonly partAdded?: string;
  readonly partDone?: string;
  readonly partIndex: object;
}

const CONTENT_PART = {
  partAdded: 'response.content_part.added',
  partDone: 'response.content_part.done',
  partIndex: { content_index: 0 },
};

const NAMES: Readonly<Record<PartKind, EventNames>> = {
  text: { text: 'response.output_text', ...CONTENT_PART },
  thinking: { text: 'response.reasoning_text', ...CONTENT_PART },
  summary: {
    text: 'response.reasoning_summary_text',
    partAdded: 'response.reasoning_summary_part.added',
    partDone: 'response.reasoning_summary_part.done',
    partIndex: { summary_index: 0 },
  },
  call: { text: 'response.function_call_arguments', partIndex: {} },
};

function partKind({ kind }: AnswerBlock, { asSummary }: ThinkingForm): PartKind {
  if (kind !== 'reasoning') return kind;
  return asSummary ? 'summary' : 'thinking';
}

function partEvent(type: string | undefined, place: object, block: AnswerBlock, form: ThinkingForm): ResponseEvent[] {
  if (type === undefined) return [];
  const part = block.kind === 'reasoning' ? thinkingPart(form, block.text) : outputText(block.text);
  return [{ type, ...place, ...NAMES[partKind(block, form)].partIndex, part }];
}

const doneText = (block: AnswerBlock): object =>
  block.kind === 'call' ? { name: block.name, arguments: block.text } : { text: block.text };

const textLogprobs = ({ kind }: AnswerBlock): object => (kind === 'text' ? { logprobs: [] } : {});
