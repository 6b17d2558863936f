import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { MAX_MESSAGE_BYTES } from '../limits/limits.js';
import { type TransportSecurity } from '../transport-security/transport-security.js';
import { MAX_REQUEST_BYTES } from './request-limits/method-sizes.js';
import { requestGuard } from './request-limits/request-guard.js';
import { roleGuard } from './role-guard.js';
import { type Handlers } from './service-definition.js';
import { MeshServerCredentials } from './tls-credentials.js';

// grpc-js would print on stderr what it also gives as an error.
if (process.env['GRPC_VERBOSITY'] === undefined) setLogVerbosity(logVerbosity.NONE);

const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 20_000,
  // Calls that one connection may have open at a time; the next one waits on the client's side.
  'grpc.max_concurrent_streams': 256,
};

export interface BoundService {
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
}

/** Pairs a service with its handlers, checked against each other by their types. */
export function bindService<ServiceType extends ServiceDefinition>(
  service: ServiceType,
  handlers: Handlers<ServiceType>,
): BoundService {
  return {
    definition: service,
    handlers,
  };
}

export interface RpcServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The flag that sets the port, for the message when it is taken: `--data-port`. */
  readonly portFlag: string;
  readonly services: readonly BoundService[];
  /** Undefined for plain text, where whoever reaches the port may call everything. */
  readonly security?: TransportSecurity | undefined;
}

export interface RpcServer {
  readonly port: number;
  /**
   * Takes no new call, lets those that run end, and ends them by force after `deadlineMs` (an open bidi stream never
   * ends by itself). Resolves when the port is free.
   */
  close(deadlineMs: number): Promise<void>;
}

/** @throws ExpertmeshError `failed_precondition` when the port is taken or the host is not one of this machine. */
export async function startServer(options: RpcServerOptions): Promise<RpcServer> {
  const { host, port, portFlag, services, security } = options;
  const server = new Server({ ...SERVER_OPTIONS, interceptors: interceptorsOf(security) });
  for (const { definition, handlers } of services) server.addService(definition, handlers);
  const credentials = security === undefined ? ServerCredentials.createInsecure() : new MeshServerCredentials(security);
  const boundPort = await bind(server, addressOf(host, port), credentials).catch((thrown: unknown) => {
    server.forceShutdown();
    throw bindError(host, port, portFlag, thrown);
  });
  return { port: boundPort, close: (deadlineMs) => close(server, deadlineMs) };
}

// The first is the one that is next to the call's stream.
const interceptorsOf = (security: TransportSecurity | undefined) =>
  security === undefined ? [requestGuard(security)] : [requestGuard(security), roleGuard(security)];

/** Why a server cannot listen, and what to do about it. */
export function bindError(host: string, port: number, portFlag: string, cause: unknown): ExpertmeshError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = reason.includes('EADDRINUSE')
    ? `cannot listen on ${addressOf(host, port)}: another program uses this port; ` +
      `stop it, or choose another port with ${portFlag}`
    : `cannot listen on ${addressOf(host, port)}, check the host and ${portFlag}: ${reason}`;
  return new ExpertmeshError('failed_precondition', message, { cause });
}

const addressOf = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;

const bind = (server: Server, address: string, credentials: ServerCredentials): Promise<number> =>
  new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });

const close = (server: Server, deadlineMs: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
    }, deadlineMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
