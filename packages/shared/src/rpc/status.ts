import { status, type StatusObject } from '@grpc/grpc-js';
import { ERROR_CODES, type ErrorCode, ExpertmeshError } from '../errors/expertmesh-error.js';

const STATUS_OF_CODE: Record<ErrorCode, status> = {
  invalid_argument: status.INVALID_ARGUMENT,
  not_found: status.NOT_FOUND,
  failed_precondition: status.FAILED_PRECONDITION,
  out_of_range: status.OUT_OF_RANGE,
  resource_exhausted: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  data_loss: status.DATA_LOSS,
  unauthenticated: status.UNAUTHENTICATED,
  permission_denied: status.PERMISSION_DENIED,
  unimplemented: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
};

/** Statuses that other gRPC programs send and that are not in our set, by what the caller can do about them. */
const CODE_OF_FOREIGN_STATUS: readonly (readonly [status, ErrorCode])[] = [
  [status.ALREADY_EXISTS, 'failed_precondition'],
  [status.ABORTED, 'unavailable'],
];

const CODE_OF_STATUS = new Map<status, ErrorCode>([
  ...ERROR_CODES.map((code) => [STATUS_OF_CODE[code], code] as const),
  ...CODE_OF_FOREIGN_STATUS,
]);

/** The gRPC status of anything that a handler threw; give it to a unary callback or to `call.emit('error', ...)`. */
export function toServiceError(thrown: unknown): Pick<StatusObject, 'code' | 'details'> {
  const error = ExpertmeshError.from(thrown);
  return { code: STATUS_OF_CODE[error.code], details: error.message };
}

/** The error that a gRPC call to `peer` (a name for the message, with its address) ended with. */
export function fromServiceError(thrown: unknown, peer: string): ExpertmeshError {
  if (thrown instanceof ExpertmeshError) return thrown;
  const { code, details } = (thrown ?? {}) as Partial<StatusObject>;
  if (typeof code !== 'number' || typeof details !== 'string') return ExpertmeshError.from(thrown);
  return new ExpertmeshError(CODE_OF_STATUS.get(code) ?? 'internal', `${peer}: ${readable(details)}`, {
    cause: thrown,
  });
}

/** Why a stream ended, without gRPC's number and decoration. */
export function streamEndReason({ details, message }: { details?: string; message: string }): string {
  return readable(details ?? message);
}

// grpc-js wraps the system's reason: "No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.7:9101.
// Resolution note: ".
const readable = (details: string): string =>
  /^No connection established\. Last error: (?:Error: )?(.*?)\.? Resolution note:/s.exec(details)?.[1] ?? details;
