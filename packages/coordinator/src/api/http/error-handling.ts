import { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify';
import { type HttpError, httpError, logError, sendHttpError, toHttpError } from '../http-error.js';
import { type RouteTable } from './route-table.js';

/** Answers everything that fails, and what has no route, in the form of OpenAI's errors. */
export function handleErrors(app: FastifyInstance, routes: RouteTable, maxModelLen: number): void {
  app.setErrorHandler((thrown: FastifyError, request, reply) => {
    logError(request, thrown);
    const isTooLarge = thrown.code === 'FST_ERR_CTP_BODY_TOO_LARGE';
    return sendHttpError(reply, isTooLarge ? bodyTooLarge(request, maxModelLen) : toHttpError(thrown));
  });
  app.setNotFoundHandler((request, reply) => sendHttpError(reply, noSuchRoute(routes, request)));
}

/**
 * Longest accepted body: room for a prompt as long as the model takes, all of it written as \u escapes, and some tools.
 */
export function maxBodyBytes(maxModelLen: number): number {
  return 256 * 1024 + 64 * maxModelLen;
}

function bodyTooLarge({ routeOptions: { bodyLimit } }: FastifyRequest, maxModelLen: number): HttpError {
  const isForPrompts = bodyLimit === maxBodyBytes(maxModelLen);
  const forPrompts = `enough for the ${String(maxModelLen)} tokens of this model; shorten the prompt`;
  const remedy = isForPrompts ? `, ${forPrompts}` : '; send less';
  const message = `The request body is larger than ${String(bodyLimit)} bytes${remedy}`;
  return httpError(413, message, 'request_too_large');
}

function noSuchRoute(routes: RouteTable, { method, url }: FastifyRequest): HttpError {
  const [path = ''] = url.split('?');
  const allowed = routes.methodsOf(path);
  if (allowed.length === 0) return httpError(404, `There is no ${method} ${path}`, 'unknown_url');
  const message = `${path} takes ${allowed.join(' or ')}, not ${method}`;
  return { ...httpError(405, message, 'method_not_allowed'), headers: { allow: [...allowed, 'OPTIONS'].join(', ') } };
}
