import { type StepShare } from '../engine/scheduler.js';
import { type Sequence } from '../engine/sequence.js';
import { type StepTimeModel } from '../engine/step-time-model.js';
import { bestDraftLength } from './draft-length.js';
import { type Draft } from './prompt-lookup.js';

/** Where drafts come from: nowhere, or from the context of the sequence itself. */
export type SpeculationMode = 'off' | 'prompt-lookup';

/** Most tokens drafted for one sequence in one step. */
const MAX_DRAFT_TOKENS = 16;

/** Decides how many tokens are drafted for each sequence of a step, and learns from what becomes of them. */
export class Drafter {
  readonly #mode: SpeculationMode;
  readonly #times: StepTimeModel;
  #numDraftedTokens = 0;
  #numAcceptedTokens = 0;

  constructor(mode: SpeculationMode, times: StepTimeModel) {
    this.#mode = mode;
    this.#times = times;
  }

  /** @param maxTokens Most drafted tokens of the step, for all sequences together. */
  draft(decoding: readonly StepShare<Sequence>[], maxTokens: number): Map<Sequence, Draft> {
    const drafts = new Map<Sequence, Draft>();
    if (this.#mode === 'off') return drafts;
    const stepMs = (numRows: number): number => this.#times.expectMs(numRows);
    let numDrafted = 0;
    for (const { sequence } of decoding) {
      const { tokenIds, matchLength } = sequence.lookUpDraft(Math.min(MAX_DRAFT_TOKENS, maxTokens - numDrafted));
      const acceptance = sequence.acceptance.estimate(matchLength);
      const length = bestDraftLength(acceptance, stepMs, decoding.length + numDrafted, tokenIds.length);
      drafts.set(sequence, { tokenIds: tokenIds.slice(0, length), matchLength });
      numDrafted += length;
    }
    return drafts;
  }

  observeDraft(sequence: Sequence, { tokenIds, matchLength }: Draft, numAccepted: number): void {
    if (tokenIds.length === 0) sequence.acceptance.observeNothing();
    else sequence.acceptance.observe(matchLength, tokenIds.length, numAccepted);
    this.#numDraftedTokens += tokenIds.length;
    this.#numAcceptedTokens += numAccepted;
  }

  counters(): { readonly numDraftedTokens: number; readonly numAcceptedTokens: number } {
    return { numDraftedTokens: this.#numDraftedTokens, numAcceptedTokens: this.#numAcceptedTokens };
  }
}
