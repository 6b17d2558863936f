import { type FastifyError, type FastifyReply, type FastifyRequest } from 'fastify';
import { type ErrorCode, ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { RateLimitError } from '../access/rate-limit-error.js';
import { FieldError, RequestError } from '../generation/request-error.js';
import { openAiFieldName } from './field-names.js';

/** An error in OpenAI's form, with the status that it is sent with. */
export interface HttpError {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: {
    readonly error: {
      readonly message: string;
      readonly type: 'invalid_request_error' | 'rate_limit_error' | 'server_error';
      readonly param: string | null;
      readonly code: string | null;
    };
  };
}

/** A request that is refused for how it comes, not for what it asks for; known to HTTP alone. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';

  readonly statusCode: number;
  readonly bodyCode: string;

  constructor(statusCode: number, bodyCode: string, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.bodyCode = bodyCode;
  }
}

const STATUS_OF_CODE: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  not_found: 404,
  // Of the cluster, not of the request: a worker that serves another placement, for example.
  failed_precondition: 503,
  out_of_range: 500,
  unimplemented: 400,
  resource_exhausted: 503,
  unavailable: 503,
  deadline_exceeded: 504,
  // Nobody reads it: the client has gone.
  cancelled: 499,
  data_loss: 500,
  unauthenticated: 401,
  permission_denied: 403,
  internal: 500,
};

/** A hint for clients and proxies; a queue or a worker is rarely back sooner. */
const RETRY_AFTER_SEC = 1;

export function toHttpError(thrown: unknown): HttpError {
  if (thrown instanceof HttpRefusal) return refusal(thrown);
  if (thrown instanceof RateLimitError) return rateLimited(thrown);
  if (thrown instanceof FieldError) return toHttpError(thrown.namedBy(openAiFieldName));
  if (thrown instanceof ExpertmeshError) {
    if (thrown.code === 'unauthenticated') return unauthenticated(thrown);
    return httpError(STATUS_OF_CODE[thrown.code], thrown.message, bodyCode(thrown), thrown.param);
  }
  if (isClientErrorOf(thrown, 'FST_ERR_CTP_INVALID_JSON_BODY')) return httpError(400, thrown.message, 'invalid_json');
  if (isClientErrorOf(thrown, 'FST_ERR_CTP_INVALID_MEDIA_TYPE'))
    return httpError(415, JSON_ONLY, 'unsupported_media_type');
  if (isClientError(thrown)) return httpError(thrown.statusCode, thrown.message, null);
  return httpError(500, 'Internal error; the server log has the details under this request id', 'internal');
}

const unauthenticated = ({ message }: ExpertmeshError): HttpError => ({
  ...httpError(401, message, 'invalid_api_key'),
  headers: { 'www-authenticate': 'Bearer realm="expertmesh"' },
});

const rateLimited = ({ message, retryAfterMs }: RateLimitError): HttpError => ({
  status: 429,
  headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) },
  body: { error: { message, type: 'rate_limit_error', param: null, code: 'rate_limit_exceeded' } },
});

const refusal = ({ statusCode, message, bodyCode: code }: HttpRefusal): HttpError =>
  httpError(statusCode, message, code);

export function httpError(status: number, message: string, code: string | null, param?: string): HttpError {
  return {
    status,
    body: {
      error: { message, type: status < 500 ? 'invalid_request_error' : 'server_error', param: param ?? null, code },
    },
  };
}

export function sendHttpError(reply: FastifyReply, { status, headers = {}, body }: HttpError): FastifyReply {
  reply.headers(headers);
  // What is left of the body is not waited for.
  if (status === 413 || isOverloaded(body)) reply.header('connection', 'close');
  if (status === 503) reply.header('retry-after', RETRY_AFTER_SEC);
  return reply.code(status).send(body);
}

const isOverloaded = ({ error }: HttpError['body']): boolean => error.code === 'overloaded';

/**
 * Logs what the operator should know of: bugs with their stack, failures in one line, refusals only for who looks for
 * them.
 */
export function logError({ log }: Pick<FastifyRequest, 'log'>, thrown: unknown): void {
  const { status } = toHttpError(thrown);
  if (!isExpected(thrown)) {
    log.error({ err: thrown }, 'request failed');
    return;
  }
  const { message } = thrown;
  const code = thrown instanceof HttpRefusal ? thrown.bodyCode : thrown.code;
  if (status < 500) log.debug({ code, status }, `request refused: ${message}`);
  else log[status === 500 ? 'error' : 'warn']({ code, status }, `request failed: ${message}`);
}

/** Whether the message says all: a stack would only name the code that noticed. */
const isExpected = (thrown: unknown): thrown is ExpertmeshError | FastifyError | HttpRefusal =>
  thrown instanceof ExpertmeshError ? thrown.code !== 'internal' : isClientError(thrown);

/** Below the API there is one code for what can never succeed; clients know it by OpenAI's names. */
function bodyCode(error: ExpertmeshError): string {
  if (error instanceof RequestError) return error.requestCode;
  return error.code === 'invalid_argument' ? 'invalid_value' : error.code;
}

const JSON_ONLY = 'The request body must be JSON: send it with the header content-type: application/json';

const isClientErrorOf = (thrown: unknown, code: string): thrown is FastifyError =>
  isClientError(thrown) && thrown.code === code;

/** What Fastify itself refuses: malformed JSON, a body too large, an unknown content type. */
const isClientError = (thrown: unknown): thrown is FastifyError & { readonly statusCode: number } =>
  thrown instanceof Error &&
  'statusCode' in thrown &&
  typeof thrown.statusCode === 'number' &&
  thrown.statusCode >= 400 &&
  thrown.statusCode < 500;
