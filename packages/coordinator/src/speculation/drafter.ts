import { type DraftableSequence, type DraftSource } from '../engine/draft-source.js';
import { Acceptance } from './acceptance.js';
import { bestDraftLength } from './draft-length.js';
import { lookUpDraft, type Draft } from './prompt-lookup.js';

/** Most tokens drafted for one sequence in one step. */
const MAX_DRAFT_TOKENS = 16;

interface Drafting {
  /** How well the drafts of the sequence do. */
  readonly acceptance: Acceptance;
  last: Draft;
}

/** Drafts from the context of the sequence itself, as much as pays, and learns from what becomes of it. */
export class Drafter implements DraftSource {
  readonly #sequences = new WeakMap<DraftableSequence, Drafting>();

  draft<S extends DraftableSequence>(
    decoding: readonly S[],
    numRows: number,
    maxTokens: number,
    stepMs: (numRows: number) => number,
  ): Map<S, readonly number[]> {
    const drafts = new Map<S, readonly number[]>();
    let numDrafted = 0;
    for (const sequence of decoding) {
      const most = Math.min(MAX_DRAFT_TOKENS, maxTokens - numDrafted, sequence.numTokensLeft - 1);
      const { tokenIds, matchLength } = lookUpDraft(sequence.tokenIds, most);
      const drafting = this.#drafting(sequence);
      const acceptance = drafting.acceptance.estimate(matchLength);
      const length = bestDraftLength(acceptance, stepMs, numRows + numDrafted, tokenIds.length);
      drafting.last = { tokenIds: tokenIds.slice(0, length), matchLength };
      drafts.set(sequence, drafting.last.tokenIds);
      numDrafted += length;
    }
    return drafts;
  }

  observe(sequence: DraftableSequence, draft: readonly number[], numAccepted: number): void {
    const drafting = this.#drafting(sequence);
    const { tokenIds, matchLength } = drafting.last;
    if (tokenIds.length === 0 || draft !== tokenIds) drafting.acceptance.observeNothing();
    else drafting.acceptance.observe(matchLength, tokenIds.length, numAccepted);
    drafting.last = NO_DRAFT;
  }

  #drafting(sequence: DraftableSequence): Drafting {
    const known = this.#sequences.get(sequence);
    if (known !== undefined) return known;
    const drafting = { acceptance: new Acceptance(), last: NO_DRAFT };
    this.#sequences.set(sequence, drafting);
    return drafting;
  }
}

const NO_DRAFT: Draft = { tokenIds: [], matchLength: 0 };
