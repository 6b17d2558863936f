/**
 * The closed set of error codes, a subset of gRPC's names. What each means for the caller:
 * - `invalid_argument`: the request can never succeed as it is; the message names the value, the limit and the remedy.
 * - `not_found`: the named thing (file, model, blob) does not exist.
 * - `failed_precondition`: right request, wrong state (another store, an expert that is not held, a leader that has
 * been replaced).
 * - `out_of_range`: a value that was computed is larger than the type that is to hold it.
 * - `resource_exhausted`: a bound is reached (memory, disk, queue); retrying later or asking for less helps.
 * - `unavailable`: a peer is away; retrying later helps.
 * - `deadline_exceeded`: a peer did not answer in time.
 * - `cancelled`: the caller gave up.
 * - `data_loss`: bytes are not what they should be (hash, truncation, NaN).
 * - `unauthenticated`: who calls sent no key, or one that is not known.
 * - `permission_denied`: who calls is known, and may not do this.
 * - `unimplemented`: known, and not supported.
 * - `internal`: a bug of ours.
 */
export const ERROR_CODES = [
  'invalid_argument',
  'not_found',
  'failed_precondition',
  'out_of_range',
  'resource_exhausted',
  'unavailable',
  'deadline_exceeded',
  'cancelled',
  'data_loss',
  'unauthenticated',
  'permission_denied',
  'unimplemented',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface ErrorDetails {
  /** The request field at fault, where there is one (`param` of an OpenAI error). */
  readonly param?: string;
  readonly cause?: unknown;
}

/** The one error type for expected failures. Edges (HTTP, gRPC, CLI) translate its code; nothing else is translated. */
export class ExpertmeshError extends Error {
  override readonly name = 'ExpertmeshError';
  readonly code: ErrorCode;
  readonly param: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.param = details.param;
  }

  /** All that it says, as plain data. A subclass adds its kind and its fields, and says how they are revived. */
  toData(): ErrorData {
    const causes = causeMessages(this);
    return { code: this.code, message: this.message, param: this.param, ...(causes.length > 0 && { causes }) };
  }

  /** Turns anything that was thrown into an ExpertmeshError; what is not one already becomes `internal`. */
  static from(thrown: unknown): ExpertmeshError {
    if (thrown instanceof ExpertmeshError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new ExpertmeshError('internal', message, { cause: thrown });
  }
}

/** Whether a peer was not there, or took too long: asking it again may help. */
export function isAway({ code }: ExpertmeshError): boolean {
  return code === 'unavailable' || code === 'deadline_exceeded';
}

/** The structured-clone form of an error, for crossing a thread border. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly param?: string | undefined;
  /** Messages of the causes, the nearest first. */
  readonly causes?: readonly string[];
  /** Of a subclass: how it is revived; see reviveErrorsOf. */
  readonly kind?: string;
  /** What a subclass says beyond the rest. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

type Revive = (data: ErrorData, details: ErrorDetails) => ExpertmeshError;

const REVIVERS = new Map<string, Revive>();

/** A cause of a cause of a cause says little more. */
const MAX_CAUSES = 8;

/** Has fromErrorData make errors of this kind by `revive`, in threads that have loaded the subclass. */
export function reviveErrorsOf(kind: string, revive: Revive): void {
  REVIVERS.set(kind, revive);
}

export function toErrorData(thrown: unknown): ErrorData {
  return ExpertmeshError.from(thrown).toData();
}

/** The error that toErrorData was given, but for its stack and those of its causes. */
export function fromErrorData(data: ErrorData): ExpertmeshError {
  const cause = toCause(data.causes ?? []);
  const details = { ...(data.param !== undefined && { param: data.param }), ...(cause && { cause }) };
  const revive = data.kind === undefined ? undefined : REVIVERS.get(data.kind);
  return revive?.(data, details) ?? new ExpertmeshError(data.code, data.message, details);
}

export function isErrorCode(code: string): code is ErrorCode {
  return (ERROR_CODES as readonly string[]).includes(code);
}

function causeMessages(error: Error): string[] {
  const messages: string[] = [];
  let cause = error.cause;
  while (cause instanceof Error && messages.length < MAX_CAUSES) {
    messages.push(cause.message);
    cause = cause.cause;
  }
  return messages;
}

function toCause([message, ...causes]: readonly string[]): Error | undefined {
  if (message === undefined) return undefined;
  const cause = toCause(causes);
  return new Error(message, cause && { cause });
}
