import { type DraftSource } from './draft-source.js';
import { type Chunk } from './forward.js';
import { type PromptBudget } from './prompt-budget.js';
import { type Scheduler } from './scheduler.js';
import { type Sequence } from './sequence.js';
import { type StepTimeModel } from './step-time-model.js';

/** What one sequence computes in a step: its next tokens, and behind them those that are drafted. */
export interface PlannedShare {
  readonly sequence: Sequence;
  readonly numTokens: number;
  readonly draft: readonly number[];
  readonly chunk: Chunk;
}

export interface StepPlan {
  readonly shares: readonly PlannedShare[];
  /** Rows of sequences that decode, their drafts included. */
  readonly numDecodeRows: number;
}

export interface StepPlanOptions {
  readonly promptBudget: PromptBudget;
  readonly stepTimes: StepTimeModel;
  readonly maxBatchTokens: number;
  readonly drafts?: DraftSource | undefined;
}

/**
 * Sequences that decode come first, then their drafts, and what room and time then leave is for prompts. A draft never
 * takes the last token that a running sequence could have had, nor a block that another one has.
 */
export function planStep(scheduler: Scheduler, options: StepPlanOptions): StepPlan {
  const { promptBudget, maxBatchTokens } = options;
  scheduler.adoptKnown();
  const decoding = scheduler.decoding().filter((sequence) => scheduler.isRunning(sequence));
  const drafts = draftsOf(decoding, maxBatchTokens - scheduler.running.length, options);
  let numDecodeRows = decoding.length;
  for (const draft of drafts.values()) numDecodeRows += draft.length;
  const prompts = scheduler.hasPrompts
    ? scheduler.prompts(promptBudget.numTokens(numDecodeRows, maxBatchTokens - numDecodeRows))
    : [];
  const shares = [...decoding.map((sequence) => ({ sequence, numTokens: 1 })), ...prompts]
    .filter(({ sequence }) => scheduler.isRunning(sequence))
    .map(({ sequence, numTokens }) => plannedShare(sequence, numTokens, drafts.get(sequence) ?? NO_DRAFT));
  return { shares, numDecodeRows };
}

const NO_DRAFT: readonly number[] = [];

// What is forced is all but sure to be accepted, so it comes before what is guessed. Nothing is drafted before the
// first token: other answers may begin from its logits.
function draftsOf(
  decoding: readonly Sequence[],
  maxTokens: number,
  { drafts, stepTimes }: StepPlanOptions,
): Map<Sequence, readonly number[]> {
  const chosen = new Map<Sequence, readonly number[]>();
  let left = maxTokens;
  const choose = (sequence: Sequence, draft: readonly number[]): void => {
    if (draft.length === 0 || draft.length > left || !sequence.table.reserve(1 + draft.length)) return;
    chosen.set(sequence, draft);
    left -= draft.length;
  };
  const answering = decoding.filter(({ numSampled }) => numSampled > 0);
  for (const sequence of answering) choose(sequence, sequence.forced(left));
  if (drafts === undefined) return chosen;
  const others = answering.filter((sequence) => !chosen.has(sequence));
  const numRows = decoding.length + maxTokens - left;
  const guessed = drafts.draft(others, numRows, left, (rows) => stepTimes.expectMs(rows));
  for (const [sequence, draft] of guessed) choose(sequence, draft);
  return chosen;
}

function plannedShare(sequence: Sequence, numTokens: number, draft: readonly number[]): PlannedShare {
  const tokenIds = sequence.uncomputed(numTokens);
  const completes = sequence.numComputed + numTokens === sequence.numTokens;
  const numLogits = completes ? 1 + draft.length : 0;
  const chunk: Chunk = {
    cache: sequence.table,
    tokenIds: draft.length === 0 ? tokenIds : [...tokenIds, ...draft],
    numLogits: sequence.needsAllRows ? numTokens : numLogits,
  };
  return { sequence, numTokens, draft, chunk };
}
