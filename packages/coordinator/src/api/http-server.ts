import { randomUUID } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import { type AddressInfo } from 'node:net';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ServedModel } from '../generation/served-model.js';
import { type AdminApi } from '../control/admin/admin-api.js';
import { adminRoutes } from './admin/admin-routes.js';
import { registerChatRoute } from './chat/chat-route.js';
import { registerCompletionRoute } from './completions/completion-route.js';
import { type HttpError, httpError, logError, sendHttpError, toHttpError } from './http-error.js';
import { InFlightRequests, shuttingDown } from './in-flight-requests.js';
import { registerModelsRoute } from './models-route.js';
import { type OperationsOptions, registerOperationsRoutes } from './operations-routes.js';
import { registerTokenizeRoute } from './tokenize-route.js';

export interface HttpServerOptions extends OperationsOptions {
  readonly model: ServedModel;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly logger: FastifyBaseLogger;
  /** Absent where there is no cluster to administrate: then there are no such routes. */
  readonly admin?: AdminApi;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no new request, lets those that run end, and ends them with an error when `deadline` aborts. */
  close(deadline: AbortSignal): Promise<void>;
}

/** @throws ExpertmeshError `failed_precondition` when the port is taken or the host is not one of this machine. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { model, host, port } = options;
  const inFlight = new InFlightRequests();
  const app = buildApp(options, inFlight);
  await app.listen({ host, port }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ExpertmeshError(
      'failed_precondition',
      `cannot listen on ${host}:${String(port)} (${reason}): is another program using port ${String(port)}? Stop it, or choose another port with --port`,
      { cause },
    );
  });
  options.logger.info({ host, port: portOf(app), model: model.id }, 'HTTP API listening');
  return { port: portOf(app), close: (deadline) => closeApp(app, inFlight, deadline) };
}

/**
 * Longest accepted body: room for a prompt as long as the model takes, all of it written as \u escapes, and some tools.
 */
const maxBodyBytes = (maxModelLen: number): number => 256 * 1024 + 64 * maxModelLen;

function bodyTooLarge(maxModelLen: number): HttpError {
  const limits = `${String(maxBodyBytes(maxModelLen))} bytes, enough for the ${String(maxModelLen)} tokens of this model`;
  return httpError(413, `The request body is larger than ${limits}; shorten the prompt`, 'request_too_large');
}

/** What a client that does not read its answer gets after the deadline. */
const FORCE_CLOSE_AFTER_MS = 500;

function buildApp(options: HttpServerOptions, inFlight: InFlightRequests): FastifyInstance {
  const { model, logger } = options;
  const { maxModelLen } = model.engine.limits;
  const app = Fastify({
    loggerInstance: logger,
    // One line a request, when it has ended, instead of Fastify's two.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes(maxModelLen),
    // What comes over a kept connection while the server closes is answered below, in the form of every other error.
    return503OnClosing: false,
    genReqId: requestId,
    // A URL that cannot be decoded is refused before there is a route, and past the error handler.
    frameworkErrors: (thrown, _request, reply) => {
      sendHttpError(reply, toHttpError(thrown));
    },
  });
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (inFlight.isClosed) return sendHttpError(reply.header('connection', 'close'), toHttpError(shuttingDown()));
    return undefined;
  });
  app.addHook('onResponse', async (request, reply) => {
    logAccess(request, reply.statusCode, reply.elapsedTime);
    if (!app.server.listening) dropIdleConnections(app);
  });
  app.setErrorHandler((thrown: FastifyError, request, reply) => {
    logError(request, thrown);
    const isTooLarge = thrown.code === 'FST_ERR_CTP_BODY_TOO_LARGE';
    return sendHttpError(reply, isTooLarge ? bodyTooLarge(maxModelLen) : toHttpError(thrown));
  });
  app.setNotFoundHandler((request, reply) => sendHttpError(reply, noSuchRoute(app, request)));
  registerChatRoute(app, model, inFlight);
  registerCompletionRoute(app, model, inFlight);
  registerModelsRoute(app, model);
  registerTokenizeRoute(app, model);
  registerOperationsRoutes(app, options);
  if (options.admin !== undefined) void app.register(adminRoutes(options.admin), { prefix: '/admin/v1' });
  return app;
}

/** A client's own id, if it is one that may stand in logs and headers. */
function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

function logAccess(request: FastifyRequest, status: number, durationMs: number): void {
  const { method, url } = request;
  request.log.info({ method, url, status, durationMs: Math.round(durationMs) }, 'request');
}

function noSuchRoute(app: FastifyInstance, { method, url }: FastifyRequest): HttpError {
  const [path = ''] = url.split('?');
  const allowed = (['GET', 'POST'] as const).filter((other) => app.hasRoute({ method: other, url: path }));
  if (allowed.length === 0) return httpError(404, `There is no ${method} ${path}`, 'unknown_url');
  return httpError(405, `${path} takes ${allowed.join(' or ')}, not ${method}`, 'method_not_allowed');
}

async function closeApp(app: FastifyInstance, inFlight: InFlightRequests, deadline: AbortSignal): Promise<void> {
  let force: NodeJS.Timeout | undefined;
  inFlight.close();
  const endAll = (): void => {
    inFlight.abortAll();
    force = setTimeout(() => {
      app.server.closeAllConnections();
    }, FORCE_CLOSE_AFTER_MS);
  };
  if (deadline.aborted) endAll();
  else deadline.addEventListener('abort', endAll, { once: true });
  await app.close();
  deadline.removeEventListener('abort', endAll);
  clearTimeout(force);
}

/** While the server closes, a connection whose answer has ended would stay open until its keep-alive is over. */
function dropIdleConnections(app: FastifyInstance): void {
  // The connection is idle only after the events of this response.
  setImmediate(() => {
    app.server.closeIdleConnections();
  });
}

const portOf = (app: FastifyInstance): number => (app.server.address() as AddressInfo).port;
