/** What the scheduler knows of a running sequence. */
export interface SchedulableSequence {
  /** Tokens that are known: prompt and answer so far. */
  readonly numTokens: number;
  /** Tokens of them whose keys and values are computed; always fewer than numTokens. */
  readonly numComputed: number;
  /** Logits of every row are needed, which bounds the rows of a step. */
  readonly needsAllRows?: boolean;
}

/** One sequence's share of a step: its next `numTokens` uncomputed tokens. */
export interface StepShare<S extends SchedulableSequence> {
  readonly sequence: S;
  readonly numTokens: number;
}

/** Most rows of prompts whose logits a step computes: with a vocabulary of 151,936 they take 39 MB. */
export const MAX_ROWS_WITH_LOGITS = 64;

/** The shares of the sequences that decode: each takes part in every step, with its last token. */
export function decodeShares<S extends SchedulableSequence>(running: readonly S[]): StepShare<S>[] {
  return running.filter((sequence) => numUncomputed(sequence) === 1).map((sequence) => ({ sequence, numTokens: 1 }));
}

/**
 * Divides a step's prompt tokens among the prompts that are not computed yet. Half of them go to the first prompt, the
 * others to those with the least left: so a short prompt need not wait for all of a long one, and a long one gets at
 * least half of what it would have alone, however many short ones follow it.
 *
 * @param running The one whose turn comes first is first.
 */
export function promptShares<S extends SchedulableSequence>(running: readonly S[], numTokens: number): StepShare<S>[] {
  const prompts = running.filter((sequence) => numUncomputed(sequence) > 1);
  const shortestFirst = [...prompts].sort((a, b) => numUncomputed(a) - numUncomputed(b));
  const granted = new Map<S, number>();
  let left = numTokens;
  let leftWithLogits = MAX_ROWS_WITH_LOGITS;
  const grant = (sequence: S, mostTokens: number): void => {
    const before = granted.get(sequence) ?? 0;
    const most = sequence.needsAllRows === true ? leftWithLogits : Infinity;
    const more = Math.min(mostTokens, left, most, numUncomputed(sequence) - before);
    if (more === 0) return;
    granted.set(sequence, before + more);
    left -= more;
    if (sequence.needsAllRows === true) leftWithLogits -= more;
  };
  for (const first of prompts.slice(0, 1)) grant(first, Math.floor(numTokens / 2));
  for (const sequence of shortestFirst) grant(sequence, left);
  return [...granted].map(([sequence, numGranted]) => ({ sequence, numTokens: numGranted }));
}

const numUncomputed = ({ numTokens, numComputed }: SchedulableSequence): number => numTokens - numComputed;
