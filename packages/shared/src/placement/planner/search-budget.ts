/** How long an improvement may go on. With the iterations alone the result depends on nothing but the input. */
export interface SearchLimits {
  /** Changes that may be tried (200,000). */
  readonly maxIterations?: number;
  /**
   * Wall-clock time after which the best so far is taken (5,000). Starting points come on top, seconds for the largest
   * models.
   */
  readonly timeBudgetMs?: number;
  /** Of the random choices (0). */
  readonly seed?: number;
  /** A monotonic clock (performance.now). */
  readonly nowMs?: () => number;
}

const DEFAULT_MAX_ITERATIONS = 200_000;
const DEFAULT_TIME_BUDGET_MS = 5_000;
/** The clock is read once in so many iterations. */
const ITERATIONS_PER_LOOK = 64;

/** Counts down what SearchLimits allow. */
export class SearchBudget {
  readonly #nowMs: () => number;
  readonly #endMs: number;
  #iterationsLeft: number;
  #isOver = false;

  constructor({ maxIterations, timeBudgetMs, nowMs = () => performance.now() }: SearchLimits) {
    this.#nowMs = nowMs;
    this.#endMs = nowMs() + (timeBudgetMs ?? DEFAULT_TIME_BUDGET_MS);
    this.#iterationsLeft = maxIterations ?? DEFAULT_MAX_ITERATIONS;
  }

  /** Whether another change may be tried; counts it. */
  spend(): boolean {
    if (this.#isOver || this.#iterationsLeft <= 0) return false;
    this.#iterationsLeft -= 1;
    if (this.#iterationsLeft % ITERATIONS_PER_LOOK === 0) this.#isOver = this.#nowMs() >= this.#endMs;
    return true;
  }

  get isSpent(): boolean {
    return this.#isOver || this.#iterationsLeft <= 0;
  }
}
