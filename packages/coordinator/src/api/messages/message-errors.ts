import { type FastifyInstance } from 'fastify';
import { encodeNamedEvent, type EventStreamForm } from '../event-stream.js';
import { type HttpError, toHttpError } from '../http-error.js';
import { type MessageEvent } from './message-run.js';

/** Named events; a failure is a last `error`, and nothing comes after the last one. */
export const MESSAGE_EVENTS: EventStreamForm<MessageEvent> = {
  encode: encodeNamedEvent,
  end: '',
  encodeError: (thrown) => {
    const { status, body } = toHttpError(thrown);
    return encodeNamedEvent(messageError(status, body));
  },
};

/** Gives every error of these routes Anthropic's form, wherever it was found: here, before the route, or by Fastify. */
export function answerErrorsAsAnthropic(scope: FastifyInstance): void {
  scope.addHook('preSerialization', async (request, reply, payload) => {
    if (!isErrorBody(payload)) return payload;
    return { ...messageError(reply.statusCode, payload), request_id: request.id };
  });
  scope.addHook('onSend', async (request, reply) => {
    reply.header('request-id', request.id);
  });
}

/** This form has no place for the field at fault: its name stands in the message. */
function messageError(status: number, { error: { message, param } }: HttpError['body']) {
  const type = ERROR_TYPES[status] ?? (status < 500 ? INVALID : 'api_error');
  const isNamed = param === null || message.includes(param);
  return { type: 'error', error: { type, message: isNamed ? message : `${param}: ${message}` } };
}

const INVALID = 'invalid_request_error';

const ERROR_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

const isErrorBody = (payload: unknown): payload is HttpError['body'] =>
  typeof payload === 'object' && payload !== null && 'error' in payload && !('type' in payload);
