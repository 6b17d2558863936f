import { type TokenLogprobs } from '../sampling/sampling-params.js';
import { type ChatPart } from '../text/chat-part.js';
import { type ToolOffer } from '../text/tool-call-parser.js';
import { type ChatFinishReason, ChatAnswer } from './chat-answer.js';
import { generateText } from './generate-text.js';
import { type GenerationRequest } from './generation-request.js';
import { type ServedModel } from './served-model.js';
import { type StopReason, type TextDelta } from './text-delta.js';
import { type TokenUsage } from './token-usage.js';

export type { ChatFinishReason };

/** A chat request, ready to run; dialects pass it on, and read no more of it than the prompt. */
export interface ChatGeneration {
  readonly request: GenerationRequest;
  /** The prompt ends inside `<think>`. */
  readonly startsInThinking: boolean;
  /** Absent where calls are not wanted. */
  readonly toolOffer: ToolOffer | undefined;
  /** An answer may have more than one call. */
  readonly parallelToolCalls: boolean;
}

/** What has been added to one answer. */
export interface ChatDelta {
  readonly answerIndex: number;
  readonly parts: readonly ChatPart[];
  /** New tokens, with log-probabilities where they were asked for; their text may come in a later delta. */
  readonly tokens: readonly ChatToken[];
  /** On the first delta, where they were asked for: of each token of the prompt; the first has none. */
  readonly promptLogprobs?: readonly (TokenLogprobs | undefined)[];
  /** On the first delta: the prompt that was computed. */
  readonly promptTokenIds?: readonly number[];
  /** Of all answers, up to and with this delta. */
  readonly usage: TokenUsage;
  /** Set on the last delta of an answer only. */
  readonly finishReason?: ChatFinishReason;
  /** The stop string or stop token at which the answer ended, if it was one that the request names. */
  readonly stopReason?: StopReason;
}

export interface ChatToken {
  readonly tokenId: number;
  readonly logprobs?: TokenLogprobs;
}

/** Runs a chat request: its answers in parts, as `generateText` gives their text. */
export async function* generateChat(
  model: ServedModel,
  generation: ChatGeneration,
  signal: AbortSignal,
): AsyncGenerator<ChatDelta, void, void> {
  const { numAnswers = 1 } = generation.request;
  let answers: readonly ChatAnswer[] = [];
  let usage: TokenUsage = { promptTokens: generation.request.promptTokenIds.length, completionTokens: 0 };
  for await (const delta of generateText(model, generation.request, signal)) {
    // By now the number has been checked.
    if (answers.length === 0)
      answers = Array.from({ length: numAnswers }, () => new ChatAnswer(model.tokenizer, generation));
    const answer = answers[delta.answerIndex];
    if (answer === undefined || answer.hasEnded) continue;
    const added = answer.push(delta);
    usage = usageWith(usage, delta, answers);
    yield { ...promptNewsOf(delta), answerIndex: delta.answerIndex, tokens: tokensOf(delta), usage, ...added };
    if (answers.every(({ hasEnded }) => hasEnded)) return;
  }
}

function usageWith(usage: TokenUsage, delta: TextDelta, answers: readonly ChatAnswer[]): TokenUsage {
  return {
    promptTokens: delta.promptTokenIds?.length ?? usage.promptTokens,
    completionTokens: usage.completionTokens + delta.tokenIds.length + (delta.unreturnedTokens ?? 0),
    reasoningTokens: answers.reduce((sum, { numReasoningTokens }) => sum + numReasoningTokens, 0),
    cachedTokens: delta.cachedTokens ?? usage.cachedTokens,
  };
}

const tokensOf = ({ tokenIds, logprobs }: TextDelta): readonly ChatToken[] =>
  tokenIds.map((tokenId, index) => {
    const ofToken = logprobs?.[index];
    return ofToken === undefined ? { tokenId } : { tokenId, logprobs: ofToken };
  });

const promptNewsOf = ({ promptLogprobs, promptTokenIds }: TextDelta): Partial<ChatDelta> => ({
  ...(promptLogprobs && { promptLogprobs }),
  ...(promptTokenIds && { promptTokenIds }),
});
