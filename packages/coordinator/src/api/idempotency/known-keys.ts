import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { HttpRefusal } from '../http-error.js';

/** A key whose request has ended is remembered for so long, to refuse it with another body. */
const REMEMBERED_MS = 600_000;
const MAX_KEYS = 10_000;

export interface KeyedRequest {
  readonly key: string;
  /** Equal where method, path and body are, but for the tokens that a request resumes from. */
  readonly fingerprint: string;
  /** It brings tokens of an answer: whoever began that has lost it. */
  readonly resumes: boolean;
  /** Ends it. */
  readonly end: (reason: ExpertmeshError) => void;
}

interface KnownKey {
  readonly fingerprint: string;
  /** Ends its request, which nothing here refers to once it has ended: that holds the whole body. */
  end: KeyedRequest['end'];
  /** Infinity while it is being answered. */
  endedAtMs: number;
}

const hasEnded = (): void => undefined;

/** Which idempotency keys have come to this coordinator, and whether their requests are still being answered. */
export class KnownKeys {
  readonly #clock: Clock;
  /** The oldest first. */
  readonly #known = new Map<string, KnownKey>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A request begins. One that resumes ends the one that it resumes, which nobody listens to any more.
   *
   * @returns to be called when it has ended
   * @throws HttpRefusal 422 for a key that came with another request, 409 while its request is still being answered.
   */
  begin(request: KeyedRequest): () => void {
    const before = this.#known.get(request.key);
    if (before !== undefined) takeOver(before, request);
    const { key, fingerprint, end } = request;
    const known: KnownKey = { fingerprint, end, endedAtMs: Infinity };
    this.#known.delete(key);
    this.#known.set(key, known);
    this.#forget();
    return () => {
      known.endedAtMs = this.#clock.nowMs();
      known.end = hasEnded;
    };
  }

  // What is being answered is bounded elsewhere, so it is never forgotten.
  #forget(): void {
    const nowMs = this.#clock.nowMs();
    let numTooMany = this.#known.size - MAX_KEYS;
    for (const [key, { endedAtMs }] of this.#known) {
      if (endedAtMs === Infinity) continue;
      if (numTooMany <= 0 && nowMs - endedAtMs < REMEMBERED_MS) return;
      this.#known.delete(key);
      numTooMany -= 1;
    }
  }
}

function takeOver(before: KnownKey, { fingerprint, resumes }: KeyedRequest): void {
  if (before.fingerprint !== fingerprint) {
    const message = 'This idempotency key came with another request before; take a new key for a new request';
    throw new HttpRefusal(422, 'idempotency_key_reused', message);
  }
  if (before.endedAtMs !== Infinity) return;
  if (resumes) {
    before.end(new ExpertmeshError('cancelled', 'Another request of the same idempotency key goes on with the answer'));
    return;
  }
  const message =
    'The request of this idempotency key is still being answered here; wait for it, or send resume_token_ids to go ' +
    'on from the tokens that have come';
  throw new HttpRefusal(409, 'idempotency_key_in_use', message);
}
