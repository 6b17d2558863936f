import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo } from 'node:net';
import { type TLSSocket } from 'node:tls';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { MAX_MESSAGE_BYTES, MAX_PARTIAL_BYTES } from '../../limits/limits.js';
import { serverTlsOptions } from '../../transport-security/tls-ends.js';
import { type TransportSecurity } from '../../transport-security/transport-security.js';
import { requireCaller } from '../role-guard.js';
import { bindError, type RpcServer } from '../server.js';
import { toServiceError } from '../status.js';
import { ByteBudget } from './byte-budget.js';
import { GrpcFrameReader } from './grpc-frame.js';
import { MAX_SESSION_MEBIBYTES, SESSION_SETTINGS, type StreamMethod, superviseSession } from './http2-session.js';

/**
 * The calls that one connection may have open at a time. A coordinator has one; each may have a window of bytes that
 * are not read yet.
 */
const MAX_STREAMS_PER_CONNECTION = 8;

/**
 * A coordinator has one; most of the others are those of coordinators that vanished, until a ping finds it. The next
 * one is closed at once.
 */
export const MAX_CONNECTIONS = 64;

/** The server's end of a bidi call. */
export interface ServedStream {
  /** False once the stream is over; what is sent then goes nowhere. */
  readonly isOpen: boolean;
  /**
   * Sends a message with its prefix in front (writeGrpcPrefix). Returns false when the peer should read first:
   * `onDrain` says when it has.
   */
  send(frame: Buffer): boolean;
  /** Ends the call well, after what was sent. */
  end(): void;
  pause(): void;
  resume(): void;
}

export interface ServedStreamEvents {
  /** What it throws ends the call with that error. */
  readonly onMessage: (message: Buffer) => void;
  /** The peer sends no more; it still reads. */
  readonly onEnd: () => void;
  readonly onDrain: () => void;
  /** Once, whatever ended the call. */
  readonly onClosed: () => void;
}

export interface GrpcStreamServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The flag that sets the port, for the message when it is taken. */
  readonly portFlag: string;
  readonly method: StreamMethod;
  readonly accept: (stream: ServedStream) => ServedStreamEvents;
  /** Undefined for plain text, where whoever reaches the port may call the method. */
  readonly security?: TransportSecurity | undefined;
  /** Told when a connection cannot be accepted, as when there are no file descriptors left; the server goes on. */
  readonly onError: (error: Error) => void;
}

/**
 * A gRPC server of one bidi method, straight on Node's HTTP/2 as grpc-stream-client.ts is; any gRPC client may call it.
 *
 * @throws ExpertmeshError `failed_precondition` when the port is taken or the host is not one of this machine.
 */
export async function startGrpcStreamServer(options: GrpcStreamServerOptions): Promise<RpcServer> {
  const sessions = new Set<ServerHttp2Session>();
  const budget = new ByteBudget(MAX_PARTIAL_BYTES);
  const server = createHttp2Server(options.security);
  server.maxConnections = MAX_CONNECTIONS;
  server.on('session', (session) => {
    sessions.add(session);
    superviseSession(session);
    session.once('close', () => sessions.delete(session));
    // What ends a session ends its streams, and those are looked after.
    session.on('error', () => undefined);
  });
  server.on('stream', (stream, headers) => {
    serve(stream, headers, options, budget);
  });
  await listen(server, options);
  server.on('error', options.onError);
  const { port } = server.address() as AddressInfo;
  return { port, close: (deadlineMs) => close(server, sessions, deadlineMs) };
}

type AnyHttp2Server = Http2Server | Http2SecureServer;

function createHttp2Server(security: TransportSecurity | undefined): AnyHttp2Server {
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
  return server;
}

function serve(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { method, accept, security }: GrpcStreamServerOptions,
  budget: ByteBudget,
): void {
  stream.on('error', () => undefined);
  // It may be over before this event tells of it, and to answer it then would throw.
  if (stream.closed || stream.destroyed) return;
  try {
    requireMethod(stream, String(headers[':path']), method, security);
  } catch (error) {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', ...statusTrailers(error) },
      { endStream: true },
    );
    return;
  }
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  const served = new OpenStream(stream, budget);
  served.listen(accept(served));
}

/** @throws ExpertmeshError `unimplemented`, or `permission_denied` for a caller of another role. */
function requireMethod(
  stream: ServerHttp2Stream,
  path: string,
  method: StreamMethod,
  security: TransportSecurity | undefined,
): void {
  if (path !== method.path) throw new ExpertmeshError('unimplemented', `there is no method ${path} here`);
  if (security === undefined) return;
  const socket = stream.session?.socket as TLSSocket | undefined;
  requireCaller(security, path, socket?.getPeerCertificate().raw);
}

class OpenStream implements ServedStream {
  readonly #stream: ServerHttp2Stream;
  readonly #budget: ByteBudget;
  #error: unknown;

  constructor(stream: ServerHttp2Stream, budget: ByteBudget) {
    this.#stream = stream;
    this.#budget = budget;
    stream.once('wantTrailers', () => {
      stream.sendTrailers(statusTrailers(this.#error));
    });
  }

  get isOpen(): boolean {
    return !this.#stream.writableEnded && !this.#stream.destroyed;
  }

  send(frame: Buffer): boolean {
    return this.#stream.write(frame);
  }

  end(): void {
    this.#stream.end();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  listen({ onMessage, onEnd, onDrain, onClosed }: ServedStreamEvents): void {
    const reader = new GrpcFrameReader(MAX_MESSAGE_BYTES, this.#budget, onMessage);
    this.#stream.on('data', (chunk: Buffer) => {
      if (this.#error !== undefined) return;
      try {
        reader.push(chunk);
      } catch (thrown) {
        this.#error = thrown;
        this.#stream.end();
      }
    });
    this.#stream.on('end', onEnd);
    this.#stream.on('drain', onDrain);
    this.#stream.once('close', () => {
      reader.drop();
      onClosed();
    });
  }
}

function statusTrailers(error: unknown): Record<string, string> {
  if (error === undefined) return { 'grpc-status': '0' };
  const { code, details } = toServiceError(error);
  return { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(details) };
}

function listen(server: AnyHttp2Server, { host, port, portFlag }: GrpcStreamServerOptions): Promise<void> {
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

function close(server: AnyHttp2Server, sessions: ReadonlySet<ServerHttp2Session>, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const session of sessions) session.destroy(undefined, constants.NGHTTP2_CANCEL);
    }, deadlineMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    // Streams that are open go on to their end.
    for (const session of sessions) session.close();
  });
}
