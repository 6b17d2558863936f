import { loadDemoAnswers, type DemoAnswer } from '@expertmesh/test-kit/demo-answers';

/**
 * Between the two largest logits, everywhere in the answer: rounding, in whatever order partial sums are added, comes
 * nowhere near it.
 */
const MIN_GAP = 4;

/** The questions with the longest answers that cannot turn with rounding: one for each stream. */
export function decidedQuestions(numQuestions: number): DemoAnswer[] {
  const decided = loadDemoAnswers()
    .filter(
      ({ enableThinking, finishReason, smallestGap }) =>
        enableThinking && finishReason === 'stop' && smallestGap > MIN_GAP,
    )
    .sort((a, b) => b.answerTokenIds.length - a.answerTokenIds.length);
  if (decided.length < numQuestions) throw new Error(`only ${String(decided.length)} answers are that clear`);
  return decided.slice(0, numQuestions);
}
