import { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type AccessControl } from '../../access/access-control.js';
import { type Caller, onBehalfOf } from '../../access/caller.js';
import { type KeyAccount, type RateState } from '../../access/key-account.js';
import { presentedKey } from '../../access/presented-key.js';
import { onAnswerEnd } from './answer-end.js';
import { isForOperators } from './request-path.js';

/** What asks for no key: it tells nothing of requests, and is asked by machines that have none. */
const OPEN_PATHS: ReadonlySet<string> = new Set([
  '/health',
  '/health/live',
  '/health/ready',
  '/ping',
  '/version',
  '/load',
  '/openapi.json',
]);

const callers = new WeakMap<FastifyRequest, Caller>();

/** Who a request is from and what it has used; absent where it asks for nothing of the model. */
export function callerOfRequest(request: FastifyRequest): Caller | undefined {
  return callers.get(request);
}

/** Asks every request for its key, holds it to the key's limits, and has the engine know whose it is. */
export function guardRequests(app: FastifyInstance, access: AccessControl, clock: Clock): void {
  app.addHook('onRequest', (request, reply, done) => {
    const path = request.routeOptions.url ?? '';
    if (request.is404 || OPEN_PATHS.has(path)) {
      done();
      return;
    }
    const key = presentedKey(request.headers);
    if (isForOperators(path)) access.requireAdmin(key);
    else open(request, reply, access.callerOf(key), clock);
    done();
  });
  // After the body, whose events come from the connection and would lose the context.
  app.addHook('preHandler', (request, _reply, done) => {
    const caller = callers.get(request);
    if (caller === undefined) done();
    else onBehalfOf(caller, done);
  });
}

function open(request: FastifyRequest, reply: FastifyReply, caller: Caller, clock: Clock): void {
  callers.set(request, caller);
  const { account } = caller;
  if (account === undefined || request.method !== 'POST') return;
  try {
    account.open(clock.nowMs());
    onAnswerEnd(reply, () => {
      account.close();
    });
  } finally {
    reply.headers(rateLimitHeaders(account, clock.nowMs()));
  }
}

/** OpenAI's headers, of the limits that the key has. */
function rateLimitHeaders(account: KeyAccount, nowMs: number): Record<string, string> {
  return {
    ...headersOf('requests', account.requestState(nowMs)),
    ...headersOf('tokens', account.tokenState(nowMs)),
  };
}

function headersOf(what: string, state: RateState | undefined): Record<string, string> {
  if (state === undefined) return {};
  return {
    [`x-ratelimit-limit-${what}`]: String(state.limit),
    [`x-ratelimit-remaining-${what}`]: String(state.remaining),
    [`x-ratelimit-reset-${what}`]: `${(state.fullInMs / 1000).toFixed(3)}s`,
  };
}
