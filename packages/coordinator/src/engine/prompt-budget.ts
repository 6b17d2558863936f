import { type StepTimeModel } from './step-time-model.js';

/** Prompts advance by at least this much in a step, whatever it takes. */
const MIN_PROMPT_TOKENS = 2;
/** So often at least a step of decoding sequences carries no prompt, so that what such a step takes stays known. */
const QUIET_STEP_INTERVAL = 64;

/**
 * Decides how many prompt tokens share a step with sequences that decode: as many as lengthen it to at most
 * `maxStretch` times what it takes without them, so that running answers keep flowing (the stall-free batching of
 * Sarathi-Serve, arXiv 2403.02310, with the token budget measured instead of profiled). Prompts that have a step to
 * themselves are not limited.
 */
export class PromptBudget {
  readonly #times: StepTimeModel;
  readonly #maxStretch: number;
  #stepsSinceQuiet = Infinity;

  constructor(times: StepTimeModel, maxStretch: number) {
    this.#times = times;
    this.#maxStretch = maxStretch;
  }

  /**
   * @param numDecodeRows Rows of the step for sequences that decode, drafts included.
   * @param maxTokens What the step has room for.
   */
  numTokens(numDecodeRows: number, maxTokens: number): number {
    if (numDecodeRows === 0) return maxTokens;
    if (this.#stepsSinceQuiet >= QUIET_STEP_INTERVAL) return 0;
    const limitMs = this.#maxStretch * this.#times.expectMs(numDecodeRows);
    const fits = (numTokens: number): boolean => this.#times.boundMs(numDecodeRows + numTokens) <= limitMs;
    const min = Math.min(MIN_PROMPT_TOKENS, maxTokens);
    const reachable = this.#times.reachableRows(numDecodeRows + min) - numDecodeRows;
    return Math.max(min, largest(Math.min(reachable, maxTokens), fits));
  }

  observe(numDecodeRows: number, numPromptTokens: number): void {
    if (numDecodeRows === 0) return;
    this.#stepsSinceQuiet = numPromptTokens === 0 ? 0 : this.#stepsSinceQuiet + 1;
  }
}

/** The largest number up to `max` that fits, by bisection; 0 if none does. */
function largest(max: number, fits: (value: number) => boolean): number {
  let low = 0;
  let high = max;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
