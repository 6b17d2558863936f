import { type StopReason, type TextDelta } from '../../generation/text-delta.js';
import { type TokenLogprobs } from '../../sampling/sampling-params.js';
import { type CompletionForm, type PromptForm } from './completion-form.js';
import { type LegacyLogprobs, LegacyLogprobsWriter } from './legacy-logprobs.js';

/** What one delta adds to a choice. */
export interface ChoicePiece {
  readonly choiceIndex: number;
  readonly text: string;
  readonly logprobs: LegacyLogprobs | null;
  readonly tokenIds: readonly number[];
  readonly promptLogprobs: readonly (TokenLogprobs | undefined)[] | undefined;
  readonly finishReason: string | null;
  readonly stopReason: StopReason | null;
}

/** Writes one choice; with an echo it begins with the prompt. */
export class ChoiceWriter {
  readonly #form: CompletionForm;
  readonly #prompt: PromptForm;
  readonly #choiceIndex: number;
  readonly #logprobs: LegacyLogprobsWriter;
  #hasBegun = false;

  constructor(form: CompletionForm, prompt: PromptForm, choiceIndex: number) {
    this.#form = form;
    this.#prompt = prompt;
    this.#choiceIndex = choiceIndex;
    this.#logprobs = new LegacyLogprobsWriter(form.names);
  }

  /** @param promptLogprobs of its prompt, where the request asks for them */
  write(delta: TextDelta, promptLogprobs: readonly (TokenLogprobs | undefined)[] | undefined): ChoicePiece {
    const { echoes, showsLogprobs } = this.#form;
    const isEcho = echoes && !this.#hasBegun;
    this.#hasBegun = true;
    const ofPrompt = isEcho ? withLogprobs(this.#prompt.tokenIds, promptLogprobs) : [];
    return {
      choiceIndex: this.#choiceIndex,
      text: (isEcho ? this.#prompt.text : '') + delta.text,
      logprobs: showsLogprobs
        ? this.#logprobs.write([...ofPrompt, ...withLogprobs(delta.tokenIds, delta.logprobs)])
        : null,
      tokenIds: delta.tokenIds,
      promptLogprobs,
      finishReason: delta.finishReason ?? null,
      stopReason: delta.stopReason ?? null,
    };
  }
}

const withLogprobs = (tokenIds: readonly number[], logprobs: readonly (TokenLogprobs | undefined)[] = []) =>
  tokenIds.map((tokenId, index) => ({ tokenId, logprobs: logprobs[index] }));
