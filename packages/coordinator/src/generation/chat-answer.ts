import { AnswerParser } from '../text/answer-parser.js';
import { type ChatPart } from '../text/chat-part.js';
import { ReasoningTokenCounter } from '../text/reasoning-token-counter.js';
import { type Tokenizer } from '../text/tokenizer.js';
import { type ToolOffer } from '../text/tool-call-parser.js';
import { type StopReason, type TextDelta } from './text-delta.js';

export type ChatFinishReason = 'stop' | 'length' | 'tool_calls';

interface AddedToAnswer {
  readonly parts: readonly ChatPart[];
  readonly finishReason?: ChatFinishReason;
  readonly stopReason?: StopReason;
}

interface ChatAnswerOptions {
  readonly startsInThinking: boolean;
  readonly toolOffer: ToolOffer | undefined;
  readonly parallelToolCalls: boolean;
}

/** One answer of a chat, as its text comes. */
export class ChatAnswer {
  readonly #parser: AnswerParser;
  readonly #reasoning: ReasoningTokenCounter;
  readonly #parallelToolCalls: boolean;
  #hasCalled = false;
  #hasEnded = false;

  constructor(tokenizer: Tokenizer, options: ChatAnswerOptions) {
    this.#parser = new AnswerParser(options);
    this.#reasoning = new ReasoningTokenCounter(tokenizer, options);
    this.#parallelToolCalls = options.parallelToolCalls;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get numReasoningTokens(): number {
    return this.#reasoning.numTokens;
  }

  push({ tokenIds, text, finishReason, stopReason }: TextDelta): AddedToAnswer {
    this.#reasoning.push(tokenIds);
    const parts = this.#parser.push(text);
    if (finishReason !== undefined) parts.push(...this.#parser.flush({ isCut: finishReason === 'length' }));
    const hadCalled = this.#hasCalled;
    this.#hasCalled ||= parts.some(({ kind }) => kind === 'call_start');
    const wanted = this.#parallelToolCalls ? parts : throughFirstCall(parts, hadCalled);
    const hasOnlyCall = !this.#parallelToolCalls && this.#parser.numCompleteCalls > 0;
    this.#hasEnded = hasOnlyCall || finishReason !== undefined;
    if (hasOnlyCall) return { parts: wanted, finishReason: 'tool_calls' };
    if (finishReason === undefined) return { parts: wanted };
    return {
      parts: wanted,
      finishReason: this.#hasCalled && finishReason === 'stop' ? 'tool_calls' : finishReason,
      ...(stopReason !== undefined && { stopReason }),
    };
  }
}

/** Without what follows the first call: a model that writes another, or goes on to speak, has gone too far. */
function throughFirstCall(parts: readonly ChatPart[], hadCalled: boolean): readonly ChatPart[] {
  const isOfCall = (part: ChatPart): boolean => 'callIndex' in part && part.callIndex === 0;
  if (hadCalled) return parts.filter(isOfCall);
  const last = parts.findLastIndex(isOfCall);
  return last < 0 ? parts : parts.slice(0, last + 1);
}
