import { type FastifyReply, type FastifyRequest } from 'fastify';
import { isForOperators } from './request-path.js';

/** Answers' headers that scripts of other origins may read. */
const EXPOSED_HEADERS = [
  'x-request-id',
  'retry-after',
  'www-authenticate',
  ...['limit', 'remaining', 'reset'].flatMap((what) => [`x-ratelimit-${what}-requests`, `x-ratelimit-${what}-tokens`]),
].join(', ');

/** Browsers may remember a preflight for so long. */
const MAX_AGE_SEC = 600;

/** Which origins of web pages may call the API; `*` stands for all. */
export type CorsOrigins = readonly string[];

/**
 * Sets the headers by which a browser lets a page of an allowed origin read the answer. What operators do is never
 * allowed to pages.
 */
export function allowOrigin(request: FastifyRequest, reply: FastifyReply, origins: CorsOrigins): void {
  const { origin } = request.headers;
  // By its route, as a URL can spell one path in many ways; OPTIONS has none.
  const path = request.routeOptions.url ?? request.url;
  if (origins.length === 0 || isForOperators(path)) return;
  const isForAll = origins.includes('*');
  if (!isForAll) reply.header('vary', 'Origin');
  if (origin === undefined || !(isForAll || origins.includes(origin))) return;
  reply.header('access-control-allow-origin', isForAll ? '*' : origin);
  reply.header('access-control-expose-headers', EXPOSED_HEADERS);
}

/** Answers OPTIONS, a browser's preflight or a plain question, for a path that takes `methods`. */
export function answerOptions(request: FastifyRequest, reply: FastifyReply, methods: readonly string[]): FastifyReply {
  const { headers } = request;
  reply.header('allow', [...methods, 'OPTIONS'].join(', '));
  if (reply.hasHeader('access-control-allow-origin') && headers['access-control-request-method'] !== undefined) {
    reply.header('access-control-allow-methods', methods.join(', '));
    const wanted = headers['access-control-request-headers'];
    if (wanted !== undefined) reply.header('access-control-allow-headers', wanted);
    if (headers['access-control-request-private-network'] === 'true')
      reply.header('access-control-allow-private-network', 'true');
    reply.header('access-control-max-age', MAX_AGE_SEC);
  }
  return reply.code(204).send();
}
