import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { clusterJson, progressJson, workerJson } from '@expertmesh/shared/admin/admin-json';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ChangeProgress, type WorkerCommand } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type AdminApi, type AdminCaller } from '../../control/admin/admin-api.js';
import { sendEventStream } from '../event-stream.js';
import { httpError, logError, sendHttpError, toHttpError } from '../http-error.js';
import { parseRequest } from '../parse-request.js';
import {
  drainSchema,
  workerCommandSchema,
  applySchema,
  limitQuery,
  placementQuery,
  planSchema,
  rebalanceSchema,
  rollbackSchema,
  statsQuery,
} from './admin-requests.js';

const MAX_BODY_BYTES = 64 * 1024;
/** A plan for 94 layers of 128 experts has about a megabyte. */
const MAX_PLAN_BYTES = 4 * 1024 * 1024;

type WorkerRequest = FastifyRequest<{ Params: { id: string } }>;

/**
 * The JSON twin of AdminService, a Fastify plugin to be registered under /admin/v1. Reading is GET, and what changes
 * something is POST with a JSON body, be it `{}`: so no web page can send it unasked. Changes of placement answer with
 * server-sent events.
 */
export function adminRoutes(api: AdminApi) {
  return (app: FastifyInstance, _options: unknown, done: () => void): void => {
    app.setErrorHandler((thrown: FastifyError, request, reply) => {
      logError(request, thrown);
      return sendHttpError(reply, toAdminError(thrown));
    });
    app.addHook('onRoute', (route) => {
      route.bodyLimit ??= MAX_BODY_BYTES;
    });
    app.addHook('preValidation', async (request) => {
      if (request.method === 'POST') requireJsonBody(request);
      return Promise.resolve();
    });
    readingRoutes(app, api);
    workerRoutes(app, api);
    placementRoutes(app, api);
    done();
  };
}

function readingRoutes(app: FastifyInstance, api: AdminApi): void {
  app.get('/cluster', () => clusterJson(api.cluster()));
  app.get('/workers', () => ({ workers: api.cluster().workers.map(workerJson) }));
  app.get('/workers/:id', (request: WorkerRequest) => {
    const { id } = request.params;
    const worker = api.cluster().workers.find(({ workerId }) => workerId === id);
    if (worker === undefined) throw new ExpertmeshError('not_found', `there is no worker ${id}: see /admin/v1/workers`);
    return workerJson(worker);
  });
  app.get('/placement', (request) => api.placement(parseRequest(placementQuery, request.query)));
  app.get('/placement/history', (request) => api.history(parseRequest(limitQuery, request.query).limit));
  app.get('/experts/stats', (request) => api.expertStats(parseRequest(statsQuery, request.query)));
  // The whole matrix, for a heat map.
  app.get('/experts/load', (request) => {
    const { window, numTokens, numExperts, layers } = api.expertStats(parseRequest(statsQuery, request.query));
    const rows = layers.map(({ layerIndex, tokens }) => ({ layerIndex, tokens }));
    return { window, numTokens, numExperts, layers: rows };
  });
  app.get('/audit', (request) => api.audit(parseRequest(limitQuery, request.query).limit));
}

function workerRoutes(app: FastifyInstance, api: AdminApi): void {
  for (const verb of ['cordon', 'uncordon', 'remove'] as const)
    app.post(`/workers/:id/${verb}`, (request: WorkerRequest, reply) =>
      api[verb](workerCommand(request), callerOf(request, reply)),
    );
  app.post('/workers/:id/drain', (request: WorkerRequest, reply) =>
    sendProgress(reply, api.drain(drainCommand(request), callerOf(request, reply))),
  );
}

function placementRoutes(app: FastifyInstance, api: AdminApi): void {
  const withPlan = { bodyLimit: MAX_PLAN_BYTES };
  app.post('/placement/plan', (request, reply) =>
    api.plan(parseRequest(planSchema, request.body), callerOf(request, reply)),
  );
  app.post('/placement/apply', withPlan, (request, reply) =>
    sendProgress(reply, api.apply(parseRequest(applySchema, request.body), callerOf(request, reply))),
  );
  app.post('/placement/rollback', (request, reply) =>
    sendProgress(reply, api.rollback(parseRequest(rollbackSchema, request.body), callerOf(request, reply))),
  );
  app.post('/rebalance', (request, reply) =>
    sendProgress(reply, api.rebalance(parseRequest(rebalanceSchema, request.body), callerOf(request, reply))),
  );
}

const workerCommand = (request: WorkerRequest): WorkerCommand => ({
  workerId: request.params.id,
  untilRestart: false,
  ...parseRequest(workerCommandSchema, request.body),
});

const drainCommand = (request: WorkerRequest): WorkerCommand => ({
  workerId: request.params.id,
  ...parseRequest(drainSchema, request.body),
});

const sendProgress = (reply: FastifyReply, changes: AsyncIterable<ChangeProgress>): Promise<FastifyReply> =>
  sendEventStream(reply, progressEvents(changes));

async function* progressEvents(changes: AsyncIterable<ChangeProgress>): AsyncGenerator<unknown, void, void> {
  for await (const progress of changes) yield progressJson(progress);
}

function callerOf(request: FastifyRequest, reply: FastifyReply): AdminCaller {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    gone.abort(new ExpertmeshError('cancelled', 'The client has gone'));
  });
  return { actor: `http ${request.ip}`, signal: gone.signal };
}

function requireJsonBody(request: FastifyRequest): void {
  if (request.body !== undefined && request.body !== null) return;
  throw new ExpertmeshError(
    'invalid_argument',
    'the request has no body: send JSON, with the header content-type: application/json, {} where there is ' +
      'nothing to say',
  );
}

/**
 * What contradicts the state of the cluster is a conflict here: sending it again later does not help, as it does for a
 * completion.
 */
const toAdminError = (thrown: unknown) =>
  thrown instanceof ExpertmeshError && thrown.code === 'failed_precondition'
    ? httpError(409, thrown.message, thrown.code)
    : toHttpError(thrown);
