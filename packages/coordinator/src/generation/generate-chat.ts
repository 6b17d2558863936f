import { AnswerParser, type ChatPart } from '../text/answer-parser.js';
import { ReasoningTokenCounter } from '../text/reasoning-token-counter.js';
import { generateText } from './generate-text.js';
import { type GenerationRequest } from './generation-request.js';
import { type ServedModel } from './served-model.js';

export interface ChatGeneration {
  readonly request: GenerationRequest;
  /** The prompt ends inside `<think>`. */
  readonly startsInThinking: boolean;
  readonly toolCalls: 'none' | 'one' | 'many';
}

export type ChatFinishReason = 'stop' | 'length' | 'tool_calls';

export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Those of the completion that were thinking; absent where thinking is not told apart. */
  readonly reasoningTokens?: number;
}

export interface ChatDelta {
  readonly parts: readonly ChatPart[];
  /** Up to and with this delta. */
  readonly usage: TokenUsage;
  /** Set on the last delta only. */
  readonly finishReason?: ChatFinishReason;
}

/** Runs a chat request: the answer in parts, as `generateText` gives the text. */
export async function* generateChat(
  model: ServedModel,
  { request, startsInThinking, toolCalls }: ChatGeneration,
  signal: AbortSignal,
): AsyncGenerator<ChatDelta, void, void> {
  const parser = new AnswerParser({ startsInThinking, parseToolCalls: toolCalls !== 'none' });
  const reasoning = new ReasoningTokenCounter(model.tokenizer, { startsInThinking });
  let completionTokens = 0;
  let hasCalled = false;
  for await (const { tokenIds, text, finishReason } of generateText(model, request, signal)) {
    completionTokens += tokenIds.length;
    reasoning.push(tokenIds);
    const parts = parser.push(text);
    if (finishReason !== undefined) parts.push(...parser.flush());
    hasCalled ||= parts.some(({ kind }) => kind === 'tool_call');
    const usage = {
      promptTokens: request.promptTokenIds.length,
      completionTokens,
      reasoningTokens: reasoning.numTokens,
    };
    if (hasCalled && toolCalls === 'one') {
      yield { parts: throughFirstCall(parts), usage, finishReason: 'tool_calls' };
      return;
    }
    if (finishReason === undefined) yield { parts, usage };
    else yield { parts, usage, finishReason: hasCalled && finishReason === 'stop' ? 'tool_calls' : finishReason };
  }
}

const throughFirstCall = (parts: readonly ChatPart[]): readonly ChatPart[] =>
  parts.slice(0, parts.findIndex(({ kind }) => kind === 'tool_call') + 1);
