import { type KeyLimits } from './api-key.js';
import { RateLimitError } from './rate-limit-error.js';
import { TokenBucket } from './token-bucket.js';

/** State of one limit, for `x-ratelimit-...` headers. */
export interface RateState {
  readonly limit: number;
  readonly remaining: number;
  readonly fullInMs: number;
}

/** How soon a place may be free again, where all that a key may have are taken. */
const CONCURRENCY_RETRY_MS = 1000;

/** What one key has used of its limits. It outlives a new reading of the key file. */
export class KeyAccount {
  readonly name: string;
  #limits: KeyLimits = {};
  #requests: TokenBucket | undefined;
  #tokens: TokenBucket | undefined;
  #numOpen = 0;

  constructor(name: string) {
    this.name = name;
  }

  get limits(): KeyLimits {
    return this.#limits;
  }

  /** A limit that changes begins anew; the others go on. */
  setLimits(limits: KeyLimits, nowMs: number): void {
    const { requestsPerMinute, tokensPerMinute } = limits;
    if (requestsPerMinute !== this.#limits.requestsPerMinute) this.#requests = bucketOf(requestsPerMinute, nowMs);
    if (tokensPerMinute !== this.#limits.tokensPerMinute) this.#tokens = bucketOf(tokensPerMinute, nowMs);
    this.#limits = limits;
  }

  /**
   * Takes a place for a request; `close` gives it back.
   *
   * @throws RateLimitError when a limit is reached.
   */
  open(nowMs: number): void {
    const { concurrentRequests = Infinity } = this.#limits;
    this.#refuseOver('requests', this.#requests, nowMs);
    this.#refuseOver('tokens', this.#tokens, nowMs);
    if (this.#numOpen >= concurrentRequests) {
      const message =
        `The key ${this.name} has ${String(this.#numOpen)} requests open, as many as it may; wait ` + 'for one';
      throw new RateLimitError(message, CONCURRENCY_RETRY_MS);
    }
    this.#requests?.take(1, nowMs);
    this.#numOpen++;
  }

  close(): void {
    this.#numOpen--;
  }

  /** Tokens are charged as they are computed: the limit may be passed by what runs, and the next request waits. */
  charge(numTokens: number, nowMs: number): void {
    this.#tokens?.take(numTokens, nowMs);
  }

  requestState(nowMs: number): RateState | undefined {
    return stateOf(this.#requests, nowMs);
  }

  tokenState(nowMs: number): RateState | undefined {
    return stateOf(this.#tokens, nowMs);
  }

  #refuseOver(what: string, bucket: TokenBucket | undefined, nowMs: number): void {
    const waitMs = bucket?.waitMs(nowMs) ?? 0;
    if (bucket === undefined || waitMs === 0) return;
    throw new RateLimitError(
      `The key ${this.name} has used its ${String(bucket.perMinute)} ${what} a minute; ` +
        `try again in ${(waitMs / 1000).toFixed(1)} s`,
      waitMs,
    );
  }
}

const bucketOf = (perMinute: number | undefined, nowMs: number): TokenBucket | undefined =>
  perMinute === undefined ? undefined : new TokenBucket(perMinute, nowMs);

const stateOf = (bucket: TokenBucket | undefined, nowMs: number): RateState | undefined =>
  bucket && { limit: bucket.perMinute, remaining: bucket.remaining(nowMs), fullInMs: bucket.fullInMs(nowMs) };
