import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

interface OpenStream {
  /** Aborts when the caller is gone or everything is closed. */
  readonly signal: AbortSignal;
  /** To be called once. */
  end(): void;
}

/** Streams that go on until their caller ends them: so many at a time, and all ended by `close`. */
export class OpenStreams {
  readonly #limit: number;
  readonly #closing = new AbortController();
  #numOpen = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws ExpertmeshError `resource_exhausted` where there are too many. */
  open(callerGone: AbortSignal): OpenStream {
    if (this.#numOpen >= this.#limit)
      throw new ExpertmeshError(
        'resource_exhausted',
        `${String(this.#limit)} callers watch or record already, which is the limit: end one of them`,
      );
    this.#numOpen += 1;
    return {
      signal: AbortSignal.any([callerGone, this.#closing.signal]),
      end: () => {
        this.#numOpen -= 1;
      },
    };
  }

  close(): void {
    this.#closing.abort();
  }
}
