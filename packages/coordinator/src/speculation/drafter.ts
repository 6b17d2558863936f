import { type Chunk } from '../engine/forward.js';
import { type StepShare } from '../engine/scheduler.js';
import { type Sequence } from '../engine/sequence.js';
import { bestDraftLength } from './draft-length.js';
import { StepCostModel } from './step-cost-model.js';

/** Where drafts come from: nowhere, or from the context of the sequence itself. */
export type SpeculationMode = 'off' | 'prompt-lookup';

/** Most tokens drafted for one sequence in one step. */
const MAX_DRAFT_TOKENS = 16;

/** Decides how many tokens are drafted for each sequence of a step, and learns from what becomes of them. */
export class Drafter {
  readonly #mode: SpeculationMode;
  readonly #costs = new StepCostModel();
  #numDraftedTokens = 0;
  #numAcceptedTokens = 0;

  constructor(mode: SpeculationMode) {
    this.#mode = mode;
  }

  /** @param maxBatchTokens Token budget of the step; drafts take what the shares leave of it. */
  draft(shares: readonly StepShare<Sequence>[], maxBatchTokens: number): Map<Sequence, readonly number[]> {
    const drafts = new Map<Sequence, readonly number[]>();
    if (this.#mode === 'off') return drafts;
    const cost = this.#costs.cost();
    let numRows = shares.reduce((sum, { numTokens }) => sum + numTokens, 0);
    for (const { sequence, numTokens } of shares) {
      if (numTokens !== 1 || sequence.numComputed + 1 !== sequence.numTokens) continue;
      const maxLength = Math.min(MAX_DRAFT_TOKENS, maxBatchTokens - numRows);
      const length = bestDraftLength(sequence.acceptance.estimate, cost, numRows, maxLength);
      const draft = sequence.lookUpDraft(length);
      drafts.set(sequence, draft);
      numRows += draft.length;
    }
    return drafts;
  }

  observeStep(chunks: readonly Chunk[], elapsedMs: number): void {
    const numRows = chunks.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
    this.#costs.observe(numRows, elapsedMs);
  }

  observeDraft(sequence: Sequence, numDrafted: number, numAccepted: number): void {
    if (numDrafted === 0) sequence.acceptance.observeNothing();
    else sequence.acceptance.observe(numDrafted, numAccepted);
    this.#numDraftedTokens += numDrafted;
    this.#numAcceptedTokens += numAccepted;
  }

  counters(): { readonly numDraftedTokens: number; readonly numAcceptedTokens: number } {
    return { numDraftedTokens: this.#numDraftedTokens, numAcceptedTokens: this.#numAcceptedTokens };
  }
}
