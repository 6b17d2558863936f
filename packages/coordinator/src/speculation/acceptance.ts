const PRIOR = 0.5;
/** Weight of a new observation. */
const LEARNING_RATE = 0.15;
/** While nothing is drafted, the estimate drifts back to the prior, so that drafting is tried again. */
const FORGETTING_RATE = 0.02;

/** Estimate of how likely a drafted token of one sequence is accepted. */
export class Acceptance {
  #estimate = PRIOR;

  get estimate(): number {
    return this.#estimate;
  }

  /** @param numAccepted of numDrafted tokens; what follows the first refused one says nothing. */
  observe(numDrafted: number, numAccepted: number): void {
    for (let i = 0; i < numAccepted; i++) this.#learn(1);
    if (numAccepted < numDrafted) this.#learn(0);
  }

  observeNothing(): void {
    this.#estimate += FORGETTING_RATE * (PRIOR - this.#estimate);
  }

  #learn(outcome: number): void {
    this.#estimate += LEARNING_RATE * (outcome - this.#estimate);
  }
}
