/** Why a streamed answer ended before its end, or did not begin. */
export class StreamFailure extends Error {
  override readonly name = 'StreamFailure';
  /** Another coordinator, or the same one later, may answer. */
  readonly mayPass: boolean;

  constructor(message: string, mayPass: boolean, options: ErrorOptions = {}) {
    super(message, options);
    this.mayPass = mayPass;
  }

  /** What fetch fails with is the connection's failure. */
  static from(thrown: unknown, url: string): StreamFailure {
    if (thrown instanceof StreamFailure) return thrown;
    // fetch says "fetch failed" before a connection stands, and "terminated" when it breaks off.
    const broke = thrown instanceof TypeError && thrown.message === 'terminated';
    const message = broke
      ? `${url}: the connection broke off in the middle of the answer`
      : `No server answers at ${url}. Start one with "expertmesh up", or name another with --url`;
    return new StreamFailure(message, true, { cause: thrown });
  }

  static ofStatus(url: string, status: number, body: string): StreamFailure {
    const message = errorOf(body)?.message;
    if (message === undefined && !PASSING_STATUSES.has(status))
      return StreamFailure.foreign(url, `HTTP ${String(status)}`);
    return new StreamFailure(`${url}: ${message ?? `HTTP ${String(status)}`}`, PASSING_STATUSES.has(status));
  }

  /** @param data of an event that is no chunk: an error, or something foreign */
  static ofEvent(url: string, data: string): StreamFailure {
    const error = errorOf(data);
    if (error === undefined) return StreamFailure.foreign(url, 'an answer of another form');
    return new StreamFailure(`${url}: ${error.message}`, PASSING_CODES.has(error.code));
  }

  static foreign(url: string, found: string, cause?: unknown): StreamFailure {
    const message = `What answers at ${url} is not an Expertmesh server (${found}): name one with --url`;
    return new StreamFailure(message, false, { cause });
  }
}

/** Also what a proxy answers with while the server behind it is away. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([409, 502, 503, 504]);
/** Of the cluster and of the moment; what is wrong with a request stays wrong. */
const PASSING_CODES: ReadonlySet<string> = new Set(['unavailable', 'failed_precondition', 'resource_exhausted']);

function errorOf(text: string): { readonly message: string; readonly code: string } | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown; code?: unknown } };
    return typeof error?.message === 'string' ? { message: error.message, code: String(error.code) } : undefined;
  } catch {
    // Not one of our errors: a proxy's page, say.
    return undefined;
  }
}
