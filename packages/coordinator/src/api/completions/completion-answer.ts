import { type TextDelta } from '../../generation/generate-text.js';
import { type AnswerHead, chunkUsage, openAiHead, openAiUsage, type UsageOptions } from '../openai-answer.js';

/** Collects a whole text into a `text_completion` object. */
export async function textCompletion(
  head: AnswerHead,
  numPromptTokens: number,
  deltas: AsyncIterable<TextDelta>,
): Promise<object> {
  const texts: string[] = [];
  let finishReason: string | null = null;
  let completionTokens = 0;
  for await (const delta of deltas) {
    texts.push(delta.text);
    completionTokens += delta.tokenIds.length;
    finishReason = delta.finishReason ?? null;
  }
  return {
    ...openAiHead(head, 'text_completion'),
    choices: [toChoice(texts.join(''), finishReason)],
    usage: openAiUsage({ promptTokens: numPromptTokens, completionTokens }),
  };
}

/** Turns a text into `text_completion` chunks. */
export async function* textChunks(
  head: AnswerHead,
  numPromptTokens: number,
  deltas: AsyncIterable<TextDelta>,
  usageOptions: UsageOptions,
): AsyncGenerator<object, void, void> {
  const usage = { promptTokens: numPromptTokens, completionTokens: 0 };
  for await (const { tokenIds, text, finishReason } of deltas) {
    usage.completionTokens += tokenIds.length;
    if (text === '' && finishReason === undefined) continue;
    yield {
      ...openAiHead(head, 'text_completion'),
      choices: [toChoice(text, finishReason ?? null)],
      ...chunkUsage(usageOptions, usage),
    };
  }
  if (usageOptions.includeUsage) {
    yield { ...openAiHead(head, 'text_completion'), choices: [], usage: openAiUsage(usage) };
  }
}

const toChoice = (text: string, finishReason: string | null): object => ({
  index: 0,
  text,
  logprobs: null,
  finish_reason: finishReason,
});
