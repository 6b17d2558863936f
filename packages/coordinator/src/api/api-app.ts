import { randomUUID } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { type AccessControl } from '../access/access-control.js';
import { type HttpCertificate } from './http/http-certificate.js';
import { type AdminApi } from '../control/admin/admin-api.js';
import { type ServedModel } from '../generation/served-model.js';
import { adminRoutes } from './admin/admin-routes.js';
import { type ApiContext } from './api-context.js';
import { registerChatRoute } from './chat/chat-route.js';
import { registerCompletionRoute } from './completions/completion-route.js';
import { callerOfRequest, guardRequests } from './http/access-hooks.js';
import { allowOrigin, answerOptions, type CorsOrigins } from './http/cross-origin.js';
import { decodedBody } from './http/encoded-body.js';
import { handleErrors, maxBodyBytes } from './http/error-handling.js';
import { acceptJsonBodies } from './http/json-body.js';
import { REQUEST_TIMEOUT_MS, UnfinishedBodies } from './http/unfinished-bodies.js';
import { canonicalUrl } from './http/request-path.js';
import { RouteTable } from './http/route-table.js';
import { sendHttpError, toHttpError } from './http-error.js';
import { followIdempotencyKeys } from './idempotency/idempotency-hook.js';
import { type InFlightRequests, shuttingDown } from './in-flight-requests.js';
import { registerMessageRoutes } from './messages/message-route.js';
import { registerModelsRoute } from './models-route.js';
import { registerOpenApiRoute } from './openapi/openapi-route.js';
import { type OperationsOptions, registerOperationsRoutes } from './operations-routes.js';
import { type UnknownFields } from './parse-request.js';
import { registerResponseRoutes } from './responses/response-route.js';
import { registerTokenizerRoutes } from './tokenizer/tokenizer-routes.js';

export interface ApiOptions extends OperationsOptions {
  readonly model: ServedModel;
  readonly logger: FastifyBaseLogger;
  /** Absent where there is no cluster to administrate: then there are no such routes. */
  readonly admin?: AdminApi;
  readonly access: AccessControl;
  readonly corsOrigins: CorsOrigins;
  readonly unknownFields: UnknownFields;
  /** Absent for HTTP in plain text. */
  readonly certificate?: HttpCertificate | undefined;
}

/** The HTTP API without a port. `routes` has its routes once it is ready. */
export function buildApi(options: ApiOptions, inFlight: InFlightRequests) {
  const { model, access, unknownFields } = options;
  const { maxModelLen } = model.engine.limits;
  const app = newApp(options, maxModelLen);
  const routes = new RouteTable();
  routes.watch(app);
  acceptJsonBodies(app);
  addRequestHooks(app, options, inFlight, routes, new UnfinishedBodies(maxBodyBytes(maxModelLen)));
  guardRequests(app, access, systemClock);
  followIdempotencyKeys(app, inFlight, systemClock);
  handleErrors(app, routes, maxModelLen);
  registerRoutes(app, options, { model, inFlight, unknownFields });
  return { app, routes };
}

function newApp({ logger, certificate }: ApiOptions, maxModelLen: number): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    // Fastify's type of an application depends on it; what is done with one here does not.
    ...(certificate && ({ https: certificate.serverOptions() } as object)),
    // One line a request, when it has ended, instead of Fastify's two.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes(maxModelLen),
    requestTimeout: REQUEST_TIMEOUT_MS,
    // What comes over a kept connection while the server closes is answered below, in the form of every other error.
    return503OnClosing: false,
    genReqId: requestId,
    rewriteUrl: ({ url = '/' }) => canonicalUrl(url),
    // A URL that cannot be decoded is refused before there is a route, and past the error handler.
    frameworkErrors: (thrown, _request, reply) => {
      sendHttpError(reply, toHttpError(thrown));
    },
  });
  certificate?.follow(app.server);
  return app;
}

function addRequestHooks(
  app: FastifyInstance,
  { corsOrigins }: ApiOptions,
  inFlight: InFlightRequests,
  routes: RouteTable,
  unfinished: UnfinishedBodies,
): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (inFlight.isClosed) return sendHttpError(reply.header('connection', 'close'), toHttpError(shuttingDown()));
    allowOrigin(request, reply, corsOrigins);
    const methods = request.method === 'OPTIONS' ? routes.methodsOf(request.url.split('?')[0] ?? '') : [];
    return methods.length > 0 ? answerOptions(request, reply, methods) : undefined;
  });
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const body = decodedBody(request, payload, request.routeOptions.bodyLimit);
    unfinished.count(request, body);
    done(null, body);
  });
  app.addHook('onResponse', async (request, reply) => {
    logAccess(request, reply.statusCode, reply.elapsedTime);
    if (!app.server.listening) dropIdleConnections(app);
  });
}

function registerRoutes(app: FastifyInstance, options: ApiOptions, context: ApiContext): void {
  registerChatRoute(app, context);
  registerCompletionRoute(app, context);
  registerResponseRoutes(app, context);
  registerMessageRoutes(app, context);
  registerModelsRoute(app, context.model);
  registerTokenizerRoutes(app, context);
  registerOperationsRoutes(app, options, context.inFlight);
  registerOpenApiRoute(app, options.version);
  if (options.admin !== undefined) void app.register(adminRoutes(options.admin), { prefix: '/admin/v1' });
}

/** A client's own id, if it is one that may stand in logs and headers. */
function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

/** One line a request, with what it used where it used the model. */
function logAccess(request: FastifyRequest, status: number, durationMs: number): void {
  const { method, url } = request;
  const caller = callerOfRequest(request);
  const used = caller &&
    caller.promptTokens + caller.completionTokens > 0 && {
      promptTokens: caller.promptTokens,
      completionTokens: caller.completionTokens,
    };
  const key = caller?.account?.name;
  request.log.info(
    { method, url, status, durationMs: Math.round(durationMs), ...(key !== undefined && { key }), ...used },
    'request',
  );
}

/** While the server closes, a connection whose answer has ended would stay open until its keep-alive is over. */
function dropIdleConnections(app: FastifyInstance): void {
  // The connection is idle only after the events of this response.
  setImmediate(() => {
    app.server.closeIdleConnections();
  });
}
