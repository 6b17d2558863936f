/** What the scheduler knows of a running sequence. */
export interface SchedulableSequence {
  /** Tokens that are known: prompt and answer so far. */
  readonly numTokens: number;
  /** Tokens of them whose keys and values are computed; always fewer than numTokens. */
  readonly numComputed: number;
}

/** One sequence's share of a step: its next `numTokens` uncomputed tokens. */
export interface StepShare<S extends SchedulableSequence> {
  readonly sequence: S;
  readonly numTokens: number;
}

/**
 * Continuous batching with chunked prefill: every decoding sequence takes part in each step, and what is left of the
 * token budget goes to prompts, oldest first. So a long prompt costs the others at most one full step a token.
 *
 * @param running Oldest first.
 * @param maxBatchTokens Token budget of a step; at least the number of running sequences, so that all of them fit.
 */
export function planStep<S extends SchedulableSequence>(running: readonly S[], maxBatchTokens: number): StepShare<S>[] {
  const uncomputed = (sequence: S): number => sequence.numTokens - sequence.numComputed;
  const decoding = running.filter((sequence) => uncomputed(sequence) === 1);
  const shares: StepShare<S>[] = decoding.map((sequence) => ({ sequence, numTokens: 1 }));
  let left = maxBatchTokens - shares.length;
  for (const sequence of running) {
    if (uncomputed(sequence) === 1) continue;
    if (left === 0) break;
    const numTokens = Math.min(left, uncomputed(sequence));
    shares.push({ sequence, numTokens });
    left -= numTokens;
  }
  return shares;
}

/**
 * How many of the waiting sequences may start now, in order: none overtakes another, so that a large one is not starved
 * by small ones.
 *
 * @param waitingBytes KV-cache bytes that each waiting sequence needs at most, oldest first.
 */
export function numAdmitted(waitingBytes: readonly number[], freeBytes: number, freePlaces: number): number {
  let left = freeBytes;
  let count = 0;
  for (const sizeBytes of waitingBytes) {
    if (count >= freePlaces || sizeBytes > left) break;
    left -= sizeBytes;
    count += 1;
  }
  return count;
}
