import { createHash } from 'node:crypto';
import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { callerOfRequest } from '../http/access-hooks.js';
import { onAnswerEnd } from '../http/answer-end.js';
import { type InFlightRequests } from '../in-flight-requests.js';
import { idempotencyKeyOf } from './idempotency-key.js';
import { KnownKeys } from './known-keys.js';

/** Where answers can be resumed. */
const PATHS: ReadonlySet<string> = new Set(['/v1/chat/completions', '/v1/completions']);

/** Holds requests to the idempotency keys that they bring. Keys of one API key are nobody else's. */
export function followIdempotencyKeys(app: FastifyInstance, inFlight: InFlightRequests, clock: Clock): void {
  const known = new KnownKeys(clock);
  app.addHook('preHandler', (request, reply, done) => {
    const path = request.routeOptions.url ?? '';
    const key = PATHS.has(path) ? idempotencyKeyOf(request.headers) : undefined;
    if (key !== undefined) {
      const { resume_token_ids: resumed, ...body } = bodyOf(request);
      const ended = known.begin({
        key: JSON.stringify([callerOfRequest(request)?.account?.name ?? null, key]),
        fingerprint: createHash('sha256')
          .update(JSON.stringify([path, body]))
          .digest('base64'),
        resumes: Array.isArray(resumed) && resumed.length > 0,
        end: (reason) => {
          inFlight.abort(reply, reason);
        },
      });
      onAnswerEnd(reply, ended);
    }
    done();
  });
}

const bodyOf = ({ body }: FastifyRequest): { readonly resume_token_ids?: unknown } =>
  typeof body === 'object' && body !== null ? body : {};
