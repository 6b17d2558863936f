import { type FastifyInstance } from 'fastify';
import { type Registry } from 'prom-client';
import { type EngineClient } from '../engine/engine-client.js';
import { httpError } from './http-error.js';

export interface Readiness {
  readonly ready: boolean;
  /** A sentence: why the service is not ready, or that it is. */
  readonly reason: string;
  /** What an operator needs to find the cause, such as the state of each worker. */
  readonly details?: unknown;
}

export interface OperationsOptions {
  readonly engine: EngineClient;
  readonly readiness: () => Readiness;
  /** Workers and placement, for GET /admin/v1/stats. */
  readonly clusterStatus: () => unknown;
  readonly registry: Registry;
}

/** For operators and their machines: health, metrics, statistics. */
export function registerOperationsRoutes(app: FastifyInstance, options: OperationsOptions): void {
  // Routine polling: kept out of the access log.
  const quiet = { logLevel: 'warn' } as const;

  app.get('/health/live', quiet, () => ({ status: 'live' }));

  app.get('/health/ready', quiet, (_request, reply) => {
    const { ready, reason, details } = options.readiness();
    if (ready) return { status: 'ready', reason, details };
    const { body } = httpError(503, reason, 'unavailable');
    return reply.code(503).send({ ...body, status: 'not ready', details });
  });

  app.get('/metrics', quiet, async (_request, reply) => {
    reply.header('content-type', options.registry.contentType);
    return options.registry.metrics();
  });

  app.get('/admin/v1/stats', quiet, () => ({ engine: options.engine.stats(), cluster: options.clusterStatus() }));
}
