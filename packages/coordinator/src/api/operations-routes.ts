import { type FastifyInstance } from 'fastify';
import { type Registry } from 'prom-client';
import { type EngineClient } from '../engine/engine-client.js';
import { httpError } from './http-error.js';
import { type InFlightRequests } from './in-flight-requests.js';

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
  /** Of the coordinator. */
  readonly version: string;
}

/** For operators and their machines: health, version, load, metrics, statistics. */
export function registerOperationsRoutes(
  app: FastifyInstance,
  options: OperationsOptions,
  inFlight: InFlightRequests,
): void {
  const { engine, registry, version } = options;
  registerHealthRoutes(app, options);
  app.get('/version', QUIET, () => ({ version }));
  // As vLLM counts: requests for the model that are being answered.
  app.get('/load', QUIET, () => ({ server_load: inFlight.size }));
  app.get('/metrics', QUIET, async (_request, reply) => {
    reply.header('content-type', registry.contentType);
    return registry.metrics();
  });
  app.get('/admin/v1/stats', QUIET, () => ({ engine: engine.stats(), cluster: options.clusterStatus() }));
}

/** Routine polling: kept out of the access log. */
const QUIET = { logLevel: 'warn' } as const;

function registerHealthRoutes(app: FastifyInstance, options: OperationsOptions): void {
  app.get('/health/live', QUIET, () => ({ status: 'live' }));
  for (const path of ['/health/ready', '/health', '/ping'])
    app.get(path, QUIET, (_request, reply) => {
      const { ready, reason, details } = options.readiness();
      if (ready) return { status: 'ready', reason, details };
      const { body } = httpError(503, reason, 'unavailable');
      return reply.code(503).send({ ...body, status: 'not ready', details });
    });
}
