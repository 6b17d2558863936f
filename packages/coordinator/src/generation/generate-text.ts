import { type SequenceOutput, type SequenceRequest } from '../engine/engine-client.js';
import { AnswerText } from './answer-text.js';
import { bestAnswers } from './best-answers.js';
import { type GenerationRequest } from './generation-request.js';
import { promptNewsOf } from './prompt-news.js';
import { resumedText } from './resumed-text.js';
import { toSequenceRequest } from './sequence-request.js';
import { type ServedModel } from './served-model.js';
import { type TextDelta } from './text-delta.js';

export type { TextDelta };

/**
 * Runs one request: tokens from the engine become text, which ends before a stop string. Leaving the loop or aborting
 * `signal` ends all its sequences.
 *
 * @throws FieldError when the request can never succeed, after an abort the signal's reason, and otherwise what the
 * engine throws.
 */
export async function* generateText(
  model: ServedModel,
  request: GenerationRequest,
  signal: AbortSignal,
): AsyncGenerator<TextDelta, void, void> {
  const { numAnswers = 1, bestOf = numAnswers } = request;
  try {
    const sequence = await toSequenceRequest(model, request);
    if (sequence.resumedTokenIds !== undefined) return yield* resumedText(model, request, sequence, signal);
    const deltas = textOf(model.engine.generate(sequence, signal), sequence, model, request);
    if (bestOf === numAnswers) yield* deltas;
    else yield* bestAnswers(deltas, { numAnswers, withLogprobs: request.logprobs !== undefined });
  } catch (thrown) {
    throw signal.aborted ? signal.reason : thrown;
  }
}

async function* textOf(
  outputs: AsyncIterable<SequenceOutput>,
  { promptTokenIds, numAnswers = 1 }: SequenceRequest,
  { tokenizer }: ServedModel,
  request: GenerationRequest,
): AsyncGenerator<TextDelta, void, void> {
  const answers = Array.from({ length: numAnswers }, () => new AnswerText(tokenizer, request));
  let isFirst = true;
  for await (const output of outputs) {
    const answer = answers[output.answerIndex ?? 0];
    // The engine goes on with an answer that a stop string has ended, until all have ended.
    if (answer === undefined || answer.hasEnded) continue;
    const delta = answer.push(output);
    yield isFirst ? { promptTokenIds, ...promptNewsOf(output), ...delta } : delta;
    isFirst = false;
    if (answers.every(({ hasEnded }) => hasEnded)) return;
  }
}
