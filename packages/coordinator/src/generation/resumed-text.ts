import { type FinishReason, type SequenceRequest } from '../engine/engine-client.js';
import { AnswerText } from './answer-text.js';
import { checkTokenIds } from './field-limits.js';
import { type GenerationRequest } from './generation-request.js';
import { promptNewsOf } from './prompt-news.js';
import { FieldError } from './request-error.js';
import { type ServedModel } from './served-model.js';
import { type TextDelta } from './text-delta.js';

/**
 * The text of an answer whose beginning the client has: one delta with all of that, as soon as the engine goes on, and
 * what follows as ever. So the whole is what the answer would have been without an interruption. One that had ended
 * asks for nothing of the engine.
 */
export async function* resumedText(
  model: ServedModel,
  request: GenerationRequest,
  sequence: SequenceRequest,
  signal: AbortSignal,
): AsyncGenerator<TextDelta, void, void> {
  const answer = new AnswerText(model.tokenizer, request);
  const begun = pushAll(answer, sequence.resumedTokenIds ?? [], finishOf(model, sequence));
  const { promptTokenIds } = sequence;
  if (answer.hasEnded) return yield { promptTokenIds, ...begun };
  let isFirst = true;
  for await (const output of model.engine.generate(sequence, signal)) {
    if (isFirst) yield { promptTokenIds, ...promptNewsOf(output), ...begun };
    isFirst = false;
    const delta = answer.push(output);
    yield delta;
    if (delta.finishReason !== undefined) return;
  }
}

/** @throws FieldError where an answer cannot be resumed from these tokens, or not as it is asked for. */
export function checkResumed(request: GenerationRequest, maxTokens: number, vocabSize: number): void {
  const { resumedTokenIds = [], numAnswers = 1, bestOf = numAnswers, logprobs, promptLogprobs } = request;
  if (resumedTokenIds.length === 0) return;
  checkTokenIds('resumedTokenIds', resumedTokenIds, vocabSize);
  if (resumedTokenIds.length > maxTokens)
    refuse((tokens) => `${tokens} has ${String(resumedTokenIds.length)}, more than the ${String(maxTokens)} asked for`);
  if (bestOf > 1) refuse((tokens) => `${tokens} is of one answer, and ${String(bestOf)} are asked for: ask for one`);
  if (logprobs === undefined && promptLogprobs === undefined) return;
  refuse((tokens) => `${tokens} comes without log-probabilities, and they are asked for: leave them out`);
}

/** One by one, as the engine gives them: what a stop string may end depends on how many tokens there are. */
function pushAll(answer: AnswerText, tokenIds: readonly number[], finish: FinishReason | undefined): TextDelta {
  let text = '';
  let last: TextDelta = { answerIndex: 0, tokenIds: [], text };
  for (const [index, tokenId] of tokenIds.entries()) {
    const isLast = index === tokenIds.length - 1;
    last = answer.push({ tokenIds: [tokenId], ...(isLast && finish && { finishReason: finish }) });
    text += last.text;
    if (answer.hasEnded) return { ...last, tokenIds: tokenIds.slice(0, index + 1), text };
  }
  return { ...last, tokenIds, text };
}

/** How the answer has ended by now; undefined where it goes on. */
function finishOf({ defaults }: ServedModel, sequence: SequenceRequest): FinishReason | undefined {
  const { resumedTokenIds = [], stopTokenIds, constraint, maxTokens } = sequence;
  const ends = new Set(constraint === undefined ? stopTokenIds : [...stopTokenIds, ...defaults.eosTokenIds]);
  const endIndex = resumedTokenIds.findIndex((tokenId) => ends.has(tokenId));
  if (endIndex === resumedTokenIds.length - 1) return 'stop';
  if (endIndex >= 0)
    refuse((tokens) => `${tokens}[${String(endIndex)}] ends the answer, and other tokens follow: leave them out`);
  return resumedTokenIds.length === maxTokens ? 'length' : undefined;
}

function refuse(message: (tokens: string) => string): never {
  throw new FieldError('invalid_value', 'resumedTokenIds', (nameOf) => message(nameOf('resumedTokenIds')));
}
