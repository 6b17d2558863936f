import { createHash } from 'node:crypto';
import { type ChatDelta } from '../../generation/generate-chat.js';
import { type TokenUsage } from '../../generation/token-usage.js';
import { type AnswerBlock } from '../answer-blocks.js';
import { carryThinking } from '../carried-thinking.js';

export interface MessageHead {
  readonly id: string;
  readonly model: string;
  /** Thinking is not shown, and comes back in its signature. */
  readonly hidesThinking: boolean;
  /** What ended an answer that is as long as it may be: its own limit, or that of the model. */
  readonly reasonAtLimit: 'max_tokens' | 'model_context_window_exceeded';
}

export interface MessageEnding {
  readonly stop_reason: string | null;
  readonly stop_sequence: string | null;
}

/** A message in Anthropic's form; without a last delta it has only begun. */
export function messageObject(
  head: MessageHead,
  content: readonly object[],
  usage: TokenUsage,
  last?: ChatDelta,
): object {
  return {
    id: head.id,
    type: 'message',
    role: 'assistant',
    model: head.model,
    content,
    ...messageEnding(head, last),
    usage: messageUsage(usage),
  };
}

/** Tokens that were cached are not among `input_tokens`. */
export function messageUsage({
  promptTokens,
  completionTokens,
  reasoningTokens = 0,
  cachedTokens = 0,
}: TokenUsage): object {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
    output_tokens_details: { thinking_tokens: reasoningTokens },
  };
}

export function messageEnding({ reasonAtLimit }: MessageHead, last?: ChatDelta): MessageEnding {
  const { finishReason, stopReason } = last ?? {};
  switch (finishReason) {
    case undefined:
      return { stop_reason: null, stop_sequence: null };
    case 'length':
      return { stop_reason: reasonAtLimit, stop_sequence: null };
    case 'tool_calls':
      return { stop_reason: 'tool_use', stop_sequence: null };
    case 'stop':
      if (typeof stopReason !== 'string') return { stop_reason: 'end_turn', stop_sequence: null };
      return { stop_reason: 'stop_sequence', stop_sequence: stopReason };
  }
}

/** A block as it begins: without its text, and without the input of a call. */
export function openBlock(block: AnswerBlock): object {
  switch (block.kind) {
    case 'reasoning':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'text':
      return { type: 'text', text: '' };
    case 'call':
      return { type: 'tool_use', id: `toolu_${block.id}`, name: block.name, input: {} };
  }
}

/** A whole block, or undefined for a call that was cut, which is no call. */
export function closedBlock(block: AnswerBlock, head: MessageHead): object | undefined {
  const open = openBlock(block);
  switch (block.kind) {
    case 'reasoning':
      return { ...open, thinking: head.hidesThinking ? '' : block.text, signature: thinkingSignature(block, head) };
    case 'text':
      return { ...open, text: block.text };
    case 'call': {
      const input = parseJson(block.text);
      return input === undefined ? undefined : { ...open, input };
    }
  }
}

/** A mark that clients send back with the thinking; where that is hidden it carries it. */
export function thinkingSignature({ text }: AnswerBlock, { hidesThinking }: MessageHead): string {
  return hidesThinking ? carryThinking(text) : createHash('sha256').update(text).digest('base64');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The answer ended in the middle of the arguments.
    return undefined;
  }
}
