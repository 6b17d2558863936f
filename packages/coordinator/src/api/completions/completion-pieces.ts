import { type TextDelta } from '../../generation/generate-text.js';
import { type TokenUsage } from '../../generation/token-usage.js';
import { type TokenLogprobs } from '../../sampling/sampling-params.js';
import { type ChoicePiece, ChoiceWriter } from './choice-writer.js';
import { type CompletionForm } from './completion-form.js';

/** What one of the prompts has been answered with. */
export interface PromptDelta {
  readonly promptIndex: number;
  readonly delta: TextDelta;
}

export interface CompletionPiece {
  readonly choice: ChoicePiece;
  /** Of all prompts, up to and with this piece. */
  readonly usage: TokenUsage;
}

/** Numbers the choices through all prompts, in their order, and writes them as they come. */
export async function* completionPieces(
  form: CompletionForm,
  deltas: AsyncIterable<PromptDelta>,
): AsyncGenerator<CompletionPiece, void, void> {
  const writers = new Map<number, ChoiceWriter>();
  const promptLogprobs = new Map<number, readonly (TokenLogprobs | undefined)[]>();
  const promptTokens = form.prompts.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  let usage: TokenUsage = { promptTokens, completionTokens: 0 };
  for await (const { promptIndex, delta } of deltas) {
    const choiceIndex = promptIndex * form.numAnswers + delta.answerIndex;
    if (delta.promptLogprobs !== undefined) promptLogprobs.set(promptIndex, delta.promptLogprobs);
    const prompt = form.prompts[promptIndex] ?? { text: '', tokenIds: [] };
    const writer = writers.get(choiceIndex) ?? new ChoiceWriter(form, prompt, choiceIndex);
    writers.set(choiceIndex, writer);
    usage = added(usage, delta);
    yield { choice: writer.write(delta, promptLogprobs.get(promptIndex)), usage };
  }
}

const added = (usage: TokenUsage, { tokenIds, unreturnedTokens = 0, cachedTokens }: TextDelta): TokenUsage => ({
  ...usage,
  completionTokens: usage.completionTokens + tokenIds.length + unreturnedTokens,
  ...(cachedTokens !== undefined && { cachedTokens: (usage.cachedTokens ?? 0) + cachedTokens }),
});
