import { type TextDelta } from './text-delta.js';

/**
 * Of all answers, those of the highest mean log-probability, best first, each in one delta: which they are is known
 * when all have ended.
 */
export async function* bestAnswers(
  deltas: AsyncIterable<TextDelta>,
  { numAnswers, withLogprobs }: { readonly numAnswers: number; readonly withLogprobs: boolean },
): AsyncGenerator<TextDelta, void, void> {
  const answers: TextDelta[] = [];
  for await (const delta of deltas) {
    const sofar = answers[delta.answerIndex];
    answers[delta.answerIndex] = sofar === undefined ? delta : joined(sofar, delta);
  }
  const ranked = answers.toSorted((left, right) => meanLogprob(right) - meanLogprob(left));
  const unreturned = ranked.slice(numAnswers).map(({ tokenIds }) => tokenIds.length);
  const news = { ...promptNewsOf(answers), unreturnedTokens: unreturned.reduce((sum, count) => sum + count, 0) };
  for (const [answerIndex, answer] of ranked.slice(0, numAnswers).entries()) {
    yield { ...(answerIndex === 0 && news), ...answerOf(answer, withLogprobs), answerIndex };
  }
}

const joined = (sofar: TextDelta, delta: TextDelta): TextDelta => ({
  ...sofar,
  ...delta,
  tokenIds: [...sofar.tokenIds, ...delta.tokenIds],
  text: sofar.text + delta.text,
  ...(sofar.logprobs && { logprobs: [...sofar.logprobs, ...(delta.logprobs ?? [])] }),
});

function meanLogprob({ logprobs = [] }: TextDelta): number {
  return logprobs.reduce((sum, { logprob }) => sum + logprob, 0) / Math.max(1, logprobs.length);
}

function promptNewsOf(answers: readonly TextDelta[]): Partial<TextDelta> {
  const { promptTokenIds, promptLogprobs, cachedTokens } = answers.find((answer) => answer.promptTokenIds) ?? {};
  return {
    ...(promptTokenIds && { promptTokenIds }),
    ...(promptLogprobs && { promptLogprobs }),
    ...(cachedTokens !== undefined && { cachedTokens }),
  };
}

/** What is of the answer itself. */
function answerOf({ logprobs, tokenIds, text, finishReason, stopReason }: TextDelta, withLogprobs: boolean) {
  return {
    tokenIds,
    text,
    ...(withLogprobs && logprobs && { logprobs }),
    ...(finishReason !== undefined && { finishReason }),
    ...(stopReason !== undefined && { stopReason }),
  };
}
