import { chunkUsage, openAiHead, openAiUsage } from '../openai-answer.js';
import { promptLogprobs } from '../token-logprobs.js';
import { type ChoicePiece } from './choice-writer.js';
import { type CompletionForm } from './completion-form.js';
import { type CompletionPiece } from './completion-pieces.js';
import { joinedLogprobs } from './legacy-logprobs.js';

/** Collects whole texts into a `text_completion` object. */
export async function textCompletion(form: CompletionForm, pieces: AsyncIterable<CompletionPiece>): Promise<object> {
  const choices = new Map<number, ChoicePiece[]>();
  let last: CompletionPiece | undefined;
  for await (const piece of pieces) {
    const choice = choices.get(piece.choice.choiceIndex);
    if (choice === undefined) choices.set(piece.choice.choiceIndex, [piece.choice]);
    else choice.push(piece.choice);
    last = piece;
  }
  return {
    ...openAiHead(form.head, 'text_completion'),
    choices: [...choices].sort(([a], [b]) => a - b).map(([index, written]) => toChoice(form, index, written)),
    usage: last === undefined ? null : openAiUsage(last.usage),
  };
}

function toChoice(form: CompletionForm, index: number, pieces: readonly ChoicePiece[]): object {
  const last = pieces.at(-1);
  const ofPrompt = pieces[0]?.promptLogprobs ?? [];
  return {
    index,
    text: pieces.map(({ text }) => text).join(''),
    logprobs: form.showsLogprobs ? joinedLogprobs(pieces.flatMap(({ logprobs }) => logprobs ?? [])) : null,
    finish_reason: last?.finishReason ?? null,
    stop_reason: last?.stopReason ?? null,
    ...(form.showsPromptLogprobs && { prompt_logprobs: promptLogprobs(form.names, ofPrompt) }),
    ...(form.showsTokenIds && {
      token_ids: pieces.flatMap(({ tokenIds }) => tokenIds),
      prompt_token_ids: promptTokenIds(form, index),
    }),
  };
}

const promptTokenIds = ({ prompts, numAnswers }: CompletionForm, choiceIndex: number): readonly number[] =>
  prompts[Math.floor(choiceIndex / numAnswers)]?.tokenIds ?? [];

/** Turns texts into `text_completion` chunks. */
export async function* textChunks(
  form: CompletionForm,
  pieces: AsyncIterable<CompletionPiece>,
): AsyncGenerator<object, void, void> {
  const { head, usageOptions } = form;
  const begun = new Set<number>();
  let last: CompletionPiece | undefined;
  for await (const piece of pieces) {
    last = piece;
    const { choice, usage } = piece;
    const tellsOfTokens = (form.showsLogprobs || form.showsTokenIds) && choice.tokenIds.length > 0;
    if (choice.text === '' && choice.finishReason === null && !tellsOfTokens) continue;
    const isFirst = !begun.has(choice.choiceIndex);
    begun.add(choice.choiceIndex);
    yield {
      ...openAiHead(head, 'text_completion'),
      choices: [toChunkChoice(form, choice, isFirst)],
      ...chunkUsage(usageOptions, usage),
    };
  }
  if (usageOptions.includeUsage && last !== undefined)
    yield { ...openAiHead(head, 'text_completion'), choices: [], usage: openAiUsage(last.usage) };
}

const toChunkChoice = (form: CompletionForm, piece: ChoicePiece, isFirst: boolean): object => ({
  index: piece.choiceIndex,
  text: piece.text,
  logprobs: piece.logprobs,
  finish_reason: piece.finishReason,
  stop_reason: piece.stopReason,
  ...(form.showsTokenIds && { token_ids: piece.tokenIds }),
  ...(form.showsTokenIds && isFirst && { prompt_token_ids: promptTokenIds(form, piece.choiceIndex) }),
});
