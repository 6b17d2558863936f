import { type AnswerBlock } from '../answer-blocks.js';
import { carryThinking } from '../carried-thinking.js';

export type EndStatus = 'completed' | 'incomplete';

type ItemStatus = 'in_progress' | EndStatus;

export interface OutputTextPart {
  readonly type: 'output_text';
  readonly text: string;
  readonly annotations: readonly never[];
  readonly logprobs: readonly never[];
}

export interface ThinkingPart {
  readonly type: 'reasoning_text' | 'summary_text';
  readonly text: string;
}

export type OutputItem =
  | {
      readonly type: 'reasoning';
      readonly id: string;
      readonly status: ItemStatus;
      readonly summary: readonly ThinkingPart[];
      readonly content: readonly ThinkingPart[];
      readonly encrypted_content?: string;
    }
  | {
      readonly type: 'message';
      readonly id: string;
      readonly status: ItemStatus;
      readonly role: 'assistant';
      readonly content: readonly OutputTextPart[];
    }
  | {
      readonly type: 'function_call';
      readonly id: string;
      readonly status: ItemStatus;
      readonly call_id: string;
      readonly name: string;
      readonly arguments: string;
    };

/** How thinking is shown. */
export interface ThinkingForm {
  /** As one summary, which is the thinking itself, instead of as content. */
  readonly asSummary: boolean;
  /** With `encrypted_content` too, for clients that send only that back. */
  readonly isCarried: boolean;
}

/** An item that begins: it has no text yet. */
export function openItem(block: AnswerBlock): OutputItem {
  const base = { id: itemId(block), status: 'in_progress' } as const;
  switch (block.kind) {
    case 'reasoning':
      return { type: 'reasoning', ...base, summary: [], content: [] };
    case 'text':
      return { type: 'message', ...base, role: 'assistant', content: [] };
    case 'call':
      return { type: 'function_call', ...base, call_id: `call_${block.id}`, name: block.name, arguments: '' };
  }
}

/** An item that has ended; `incomplete` where the answer was cut in it. */
export function closedItem(block: AnswerBlock, status: EndStatus, form: ThinkingForm): OutputItem {
  const open = { ...openItem(block), status };
  switch (open.type) {
    case 'reasoning': {
      const parts = [thinkingPart(form, block.text)];
      const carried = form.isCarried ? { encrypted_content: carryThinking(block.text) } : {};
      return { ...open, ...(form.asSummary ? { summary: parts } : { content: parts }), ...carried };
    }
    case 'message':
      return { ...open, content: [outputText(block.text)] };
    case 'function_call':
      return { ...open, arguments: block.text };
  }
}

export function outputText(text: string): OutputTextPart {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

export function thinkingPart({ asSummary }: ThinkingForm, text: string): ThinkingPart {
  return { type: asSummary ? 'summary_text' : 'reasoning_text', text };
}

export function itemId({ kind, id }: AnswerBlock): string {
  return `${ID_PREFIXES[kind]}_${id}`;
}

const ID_PREFIXES = { reasoning: 'rs', text: 'msg', call: 'fc' } as const;
