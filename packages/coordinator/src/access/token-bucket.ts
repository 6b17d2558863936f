/**
 * A rate limit: so much a minute, and as much at once after a minute without. It may be overdrawn, which is waited for.
 */
export class TokenBucket {
  readonly perMinute: number;
  #level: number;
  #atMs: number;

  constructor(perMinute: number, nowMs: number) {
    this.perMinute = perMinute;
    this.#level = perMinute;
    this.#atMs = nowMs;
  }

  take(amount: number, nowMs: number): void {
    this.#level = this.#levelAt(nowMs) - amount;
    this.#atMs = nowMs;
  }

  /** Whole ones that could be taken now. */
  remaining(nowMs: number): number {
    return Math.max(0, Math.floor(this.#levelAt(nowMs)));
  }

  /** Until one could be taken; 0 for now. */
  waitMs(nowMs: number): number {
    return this.#msUntil(1, nowMs);
  }

  /** Until it is full. */
  fullInMs(nowMs: number): number {
    return this.#msUntil(this.perMinute, nowMs);
  }

  #msUntil(level: number, nowMs: number): number {
    return Math.max(0, ((level - this.#levelAt(nowMs)) / this.perMinute) * 60_000);
  }

  #levelAt(nowMs: number): number {
    return Math.min(this.perMinute, this.#level + ((nowMs - this.#atMs) / 60_000) * this.perMinute);
  }
}
