import {
  GenerateResponse,
  type TokenLogprobs as LogprobsMessage,
} from '@expertmesh/shared/gen/expertmesh/v1/inference';
import { type ChatDelta } from '../generation/generate-chat.js';
import { type StopReason, type TextDelta } from '../generation/text-delta.js';
import { type TokenUsage } from '../generation/token-usage.js';
import { type TokenLogprobs } from '../sampling/sampling-params.js';
import { type ChatPart } from '../text/chat-part.js';

export async function* textResponses(deltas: AsyncIterable<TextDelta>): AsyncGenerator<GenerateResponse, void, void> {
  let usage: TokenUsage = { promptTokens: 0, completionTokens: 0 };
  for await (const delta of deltas) {
    usage = {
      promptTokens: delta.promptTokenIds?.length ?? usage.promptTokens,
      completionTokens: usage.completionTokens + delta.tokenIds.length + (delta.unreturnedTokens ?? 0),
      cachedTokens: delta.cachedTokens ?? usage.cachedTokens,
    };
    yield { ...response({ ...delta, usage }), text: delta.text, logprobs: delta.logprobs?.map(toMessage) ?? [] };
  }
}

export function chatResponse(delta: ChatDelta): GenerateResponse {
  return {
    ...response({ ...delta, tokenIds: delta.tokens.map(({ tokenId }) => tokenId) }),
    logprobs: delta.tokens.flatMap(({ logprobs }) => (logprobs === undefined ? [] : [toMessage(logprobs)])),
    parts: delta.parts.map((part) => ({ part: toPart(part) })),
  };
}

interface Delta {
  readonly answerIndex: number;
  readonly tokenIds: readonly number[];
  readonly promptLogprobs?: readonly (TokenLogprobs | undefined)[];
  readonly usage: TokenUsage;
  readonly finishReason?: string;
  readonly stopReason?: StopReason;
}

function response({ answerIndex, tokenIds, promptLogprobs, usage, finishReason, stopReason }: Delta): GenerateResponse {
  const { promptTokens, completionTokens, reasoningTokens = 0, cachedTokens = 0 } = usage;
  return GenerateResponse.fromPartial({
    tokenIds: [...tokenIds],
    answerIndex,
    promptLogprobs: promptLogprobs?.map((ofToken) => (ofToken === undefined ? {} : toMessage(ofToken))) ?? [],
    finishReason: finishReason ?? '',
    ...(finishReason !== undefined && { usage: { promptTokens, completionTokens, reasoningTokens, cachedTokens } }),
    stopReason: stopReason === undefined ? undefined : toStopReason(stopReason),
  });
}

const toStopReason = (stopReason: StopReason): NonNullable<GenerateResponse['stopReason']> =>
  typeof stopReason === 'string'
    ? { $case: 'stopString', value: stopReason }
    : { $case: 'stopTokenId', value: stopReason };

const toMessage = ({ tokenId, logprob, rank, top }: TokenLogprobs): LogprobsMessage => ({
  tokenId,
  logprob,
  rank,
  top: [...top],
});

function toPart(part: ChatPart): NonNullable<GenerateResponse['parts'][number]['part']> {
  switch (part.kind) {
    case 'reasoning':
      return { $case: 'reasoning', value: part.text };
    case 'content':
      return { $case: 'content', value: part.text };
    case 'call_start':
      return { $case: 'callStart', value: { callIndex: part.callIndex, name: part.name } };
    case 'call_arguments':
      return { $case: 'callArguments', value: { callIndex: part.callIndex, text: part.text } };
  }
}
