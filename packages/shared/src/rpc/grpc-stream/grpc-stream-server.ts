import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo } from 'node:net';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { MAX_MESSAGE_BYTES } from '../../limits/limits.js';
import { hasRole } from '../../transport-security/tls-ends.js';
import { type TransportSecurity } from '../../transport-security/transport-security.js';
import { requireCaller } from '../role-guard.js';
import { type RpcServer } from '../server.js';
import { toServiceError } from '../status.js';
import { GrpcFrameReader } from './grpc-frame.js';
import {
  type AnyHttp2Server,
  closeHttp2Server,
  createHttp2Server,
  listen,
  type ListenOptions,
} from './http2-server.js';
import { guardSession, peerCertificate, type StreamMethod, superviseSession } from './http2-session.js';
import { type Peer, PeerTable, type StreamMemory } from './peer-table.js';

/**
 * A coordinator has one; most of the others are those of coordinators that vanished, until a ping finds it. For the
 * next one that of a stranger, or the one that is idle for longest, gives way (peer-table.ts).
 */
export const MAX_CONNECTIONS = 64;

/** How often unfinished messages are looked at. */
const SLOW_CHECK_MS = 5_000;

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

export interface GrpcStreamServerOptions extends ListenOptions {
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
  const peers = new PeerTable(MAX_CONNECTIONS, () => performance.now());
  const server = createHttp2Server(options.security);
  server.on('session', (session) => {
    // What ends a session ends its streams, and those are looked after.
    session.on('error', () => undefined);
    const peer = admit(session, peers, options.security);
    if (peer === undefined) return;
    sessions.add(session);
    superviseSession(session);
    if (options.security !== undefined) guardSession(session, options.security);
    session.once('close', () => {
      sessions.delete(session);
      peers.remove(peer);
    });
    session.on('stream', (stream, headers) => {
      serve(stream, headers, options, peer);
    });
  });
  dropSlowMessages(server, peers);
  await listen(server, options);
  server.on('error', options.onError);
  const { port } = server.address() as AddressInfo;
  return { port, close: (deadlineMs) => closeHttp2Server(server, sessions, deadlineMs) };
}

/** Undefined where there is no place, and the connection is closed. */
function admit(
  session: ServerHttp2Session,
  peers: PeerTable,
  security: TransportSecurity | undefined,
): Peer | undefined {
  const close = (): void => {
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  try {
    const isTrusted = hasRole(peerCertificate(session), 'coordinator', security);
    return peers.add({ address: session.socket.remoteAddress ?? '', isTrusted, close });
  } catch {
    close();
    return undefined;
  }
}

/** Timers run before sockets are read: after a long computation the rest of a message may lie there. */
function dropSlowMessages(server: AnyHttp2Server, peers: PeerTable): void {
  const check = setInterval(() => {
    setImmediate(() => {
      peers.dropSlow();
    });
  }, SLOW_CHECK_MS);
  check.unref();
  server.once('close', () => {
    clearInterval(check);
  });
}

function serve(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { method, accept, security }: GrpcStreamServerOptions,
  peer: Peer,
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
  const served = new OpenStream(stream, peer);
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
  requireCaller(security, path, stream.session && peerCertificate(stream.session));
}

class OpenStream implements ServedStream {
  readonly #stream: ServerHttp2Stream;
  readonly #memory: StreamMemory;
  #reader: GrpcFrameReader | undefined;
  #error: unknown;

  constructor(stream: ServerHttp2Stream, peer: Peer) {
    this.#stream = stream;
    this.#memory = peer.openStream((reason) => {
      this.#fail(reason);
    });
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
    const reader = new GrpcFrameReader(MAX_MESSAGE_BYTES, this.#memory, (message) => {
      this.#memory.noteMessage();
      onMessage(message);
    });
    this.#reader = reader;
    this.#stream.on('data', (chunk: Buffer) => {
      if (this.#error === undefined) this.#read(reader, chunk);
    });
    this.#stream.on('end', onEnd);
    this.#stream.on('drain', onDrain);
    this.#stream.once('close', () => {
      reader.drop();
      this.#memory.close();
      onClosed();
    });
  }

  #read(reader: GrpcFrameReader, chunk: Buffer): void {
    try {
      reader.push(chunk);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #fail(reason: unknown): void {
    this.#error ??= reason;
    this.#reader?.drop();
    this.#stream.end();
  }
}

function statusTrailers(error: unknown): Record<string, string> {
  if (error === undefined) return { 'grpc-status': '0' };
  const { code, details } = toServiceError(error);
  return { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(details) };
}
