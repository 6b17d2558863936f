import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2';
import { type Socket } from 'node:net';
import { serverTlsOptions } from '../../transport-security/tls-ends.js';
import { type TransportSecurity } from '../../transport-security/transport-security.js';
import { bindError } from '../server.js';
import { Handshakes } from './handshakes.js';
import { MAX_SESSION_MEBIBYTES, SESSION_SETTINGS } from './http2-session.js';

/**
 * The calls that one connection may have open at a time. A coordinator has one; each may have a window of bytes that
 * are not read yet.
 */
const MAX_STREAMS_PER_CONNECTION = 8;

export type AnyHttp2Server = Http2Server | Http2SecureServer;

/** Not listening yet. */
export function createHttp2Server(security: TransportSecurity | undefined): AnyHttp2Server {
  const options = {
    settings: { ...SESSION_SETTINGS, maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION },
    maxSessionMemory: MAX_SESSION_MEBIBYTES,
  };
  if (security === undefined) return createServer(options);
  const server = createSecureServer({ ...options, ...serverTlsOptions(security) });
  const stop = security.onChange(({ context }) => {
    server.setSecureContext(context);
  });
  server.once('close', stop);
  const handshakes = new Handshakes();
  server.on('connection', (socket: Socket) => {
    handshakes.begin(socket);
  });
  server.on('secureConnection', (socket: Socket) => {
    handshakes.end(socket);
  });
  return server;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The flag that sets the port, for the message when it is taken. */
  readonly portFlag: string;
}

/** @throws ExpertmeshError `failed_precondition` as bindError. */
export function listen(server: AnyHttp2Server, { host, port, portFlag }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error): void => {
      reject(bindError(host, port, portFlag, cause));
    };
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

/** Streams that are open go on to their end, or to the deadline. */
export function closeHttp2Server(
  server: AnyHttp2Server,
  sessions: ReadonlySet<ServerHttp2Session>,
  deadlineMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const session of sessions) session.destroy(undefined, constants.NGHTTP2_CANCEL);
    }, deadlineMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    for (const session of sessions) session.close();
  });
}
