import { type AddressInfo } from 'node:net';
import { type FastifyInstance } from 'fastify';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ApiOptions, buildApi } from './api-app.js';
import { InFlightRequests } from './in-flight-requests.js';

export interface HttpServerOptions extends ApiOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

export interface HttpServer {
  readonly port: number;
  /** Every route, by method and path, as it was registered. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
  /** Takes no new request, lets those that run end, and ends them with an error when `deadline` aborts. */
  close(deadline: AbortSignal): Promise<void>;
}

/** @throws ExpertmeshError `failed_precondition` when the port is taken or the host is not one of this machine. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { model, host, port } = options;
  const inFlight = new InFlightRequests();
  const { app, routes } = buildApi(options, inFlight);
  await app.listen({ host, port }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ExpertmeshError(
      'failed_precondition',
      `cannot listen on ${host}:${String(port)} (${reason}): is another program using port ${String(port)}? ` +
        'Stop it, or choose another port with --port',
      { cause },
    );
  });
  options.logger.info({ host, port: portOf(app), model: model.id }, 'HTTP API listening');
  return {
    port: portOf(app),
    routes: routes.routes,
    close: (deadline) => closeApp(app, inFlight, deadline),
  };
}

/** What a client that does not read its answer gets after the deadline. */
const FORCE_CLOSE_AFTER_MS = 500;

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

const portOf = (app: FastifyInstance): number => (app.server.address() as AddressInfo).port;
