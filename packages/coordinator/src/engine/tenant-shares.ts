/** What a token of an answer counts as, in tokens of a prompt. */
const ANSWER_WEIGHT = 2;
/** Tenants that are remembered; the one that was served the longest time ago is forgotten first. */
const MAX_TENANTS = 10_000;

/**
 * What every tenant has been given, in weighted tokens: the one that was given least comes first (virtual token
 * counters; Sheng et al.: Fairness in Serving Large Language Models, arXiv 2401.00588). Nobody saves up what they did
 * not ask for: who comes back is lifted to the least of those who are there.
 */
export class TenantShares {
  readonly #given = new Map<string, number>();

  given(tenant: string): number {
    return this.#given.get(tenant) ?? 0;
  }

  /** A tenant that had nothing running or waiting comes (back). */
  join(tenant: string, others: Iterable<string>): void {
    let least = Infinity;
    for (const other of others) least = Math.min(least, this.given(other));
    if (least !== Infinity && least > this.given(tenant)) this.#set(tenant, least);
  }

  chargePrompt(tenant: string, numTokens: number): void {
    this.#set(tenant, this.given(tenant) + numTokens);
  }

  chargeAnswer(tenant: string, numTokens: number): void {
    this.#set(tenant, this.given(tenant) + ANSWER_WEIGHT * numTokens);
  }

  #set(tenant: string, given: number): void {
    this.#given.delete(tenant);
    this.#given.set(tenant, given);
    if (this.#given.size <= MAX_TENANTS) return;
    for (const longestAgo of this.#given.keys()) {
      this.#given.delete(longestAgo);
      return;
    }
  }
}
