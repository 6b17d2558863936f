/** What a token of an answer counts as, in tokens of a prompt. */
const ANSWER_WEIGHT = 2;
/** Tenants that are remembered; the one that came the longest time ago is forgotten first. */
const MAX_TENANTS = 10_000;

/**
 * What every tenant has been given, in weighted tokens: the one that was given least comes first (virtual token
 * counters; Sheng et al.: Fairness in Serving Large Language Models, arXiv 2401.00588). Nobody saves up what they did
 * not ask for: who comes back is lifted to the least of those who are there.
 */
export class TenantShares {
  /** The one that came last is last. */
  readonly #tenants = new Map<string, { given: number }>();

  given(tenant: string): number {
    return this.#tenants.get(tenant)?.given ?? 0;
  }

  /** A tenant that had nothing running or waiting comes (back). */
  join(tenant: string, others: Iterable<string>): void {
    let least = Infinity;
    for (const other of others) least = Math.min(least, this.given(other));
    const given = Math.max(this.given(tenant), least === Infinity ? 0 : least);
    this.#tenants.delete(tenant);
    this.#tenants.set(tenant, { given });
    if (this.#tenants.size > MAX_TENANTS) this.#forgetOne();
  }

  chargePrompt(tenant: string, numTokens: number): void {
    this.#charge(tenant, numTokens);
  }

  chargeAnswer(tenant: string, numTokens: number): void {
    this.#charge(tenant, ANSWER_WEIGHT * numTokens);
  }

  #charge(tenant: string, numTokens: number): void {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) known.given += numTokens;
  }

  #forgetOne(): void {
    for (const longestAgo of this.#tenants.keys()) {
      this.#tenants.delete(longestAgo);
      return;
    }
  }
}
