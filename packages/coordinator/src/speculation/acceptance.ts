/** Weight of a new observation. */
const LEARNING_RATE = 0.15;
/** While nothing is drafted, estimates drift back to where they began, so that drafting is tried again. */
const FORGETTING_RATE = 0.02;
/**
 * Matches from these lengths on are judged apart, and begin with these chances: the longer a match, the likelier is it
 * the place that is being copied.
 */
const MATCH_CLASSES = [
  { leastLength: 0, prior: 0.5 },
  { leastLength: 4, prior: 0.7 },
  { leastLength: 8, prior: 0.9 },
] as const;

/**
 * Estimates how likely a drafted token of one sequence is accepted, by the length of the match that it was taken from.
 */
export class Acceptance {
  readonly #estimates: number[] = MATCH_CLASSES.map(({ prior }) => prior);

  estimate(matchLength: number): number {
    return this.#estimates[classOf(matchLength)] ?? 0;
  }

  /** @param numAccepted of numDrafted tokens; what follows the first refused one says nothing. */
  observe(matchLength: number, numDrafted: number, numAccepted: number): void {
    for (let i = 0; i < numAccepted; i++) this.#approach(classOf(matchLength), 1, LEARNING_RATE);
    if (numAccepted < numDrafted) this.#approach(classOf(matchLength), 0, LEARNING_RATE);
  }

  observeNothing(): void {
    for (const [index, { prior }] of MATCH_CLASSES.entries()) this.#approach(index, prior, FORGETTING_RATE);
  }

  #approach(index: number, target: number, rate: number): void {
    const estimate = this.#estimates[index] ?? 0;
    this.#estimates[index] = estimate + rate * (target - estimate);
  }
}

const classOf = (matchLength: number): number =>
  MATCH_CLASSES.findLastIndex(({ leastLength }) => matchLength >= leastLength);
