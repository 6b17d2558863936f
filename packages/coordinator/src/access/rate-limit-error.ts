import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** A key has used up what it may; it helps to wait. */
export class RateLimitError extends ExpertmeshError {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super('resource_exhausted', message);
    this.retryAfterMs = retryAfterMs;
  }
}
