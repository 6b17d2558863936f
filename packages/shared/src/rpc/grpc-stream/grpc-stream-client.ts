import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { MAX_MESSAGE_BYTES } from '../../limits/limits.js';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { clientTlsOptions, explained } from '../../transport-security/tls-ends.js';
import { type TransportSecurity } from '../../transport-security/transport-security.js';
import { type SecureTo } from '../client.js';
import { GrpcFrameReader } from './grpc-frame.js';
import { UNCOUNTED } from './partial-memory.js';
import {
  guardSession,
  MAX_SESSION_MEBIBYTES,
  SESSION_SETTINGS,
  type StreamMethod,
  superviseSession,
} from './http2-session.js';

export interface GrpcStreamEvents {
  /** The peer is there and speaks HTTP/2. */
  readonly onReady: () => void;
  /** What it throws ends the stream. */
  readonly onMessage: (message: Buffer) => void;
  /** Once, whatever ended the stream; not after `close`. */
  readonly onEnd: (reason: string) => void;
}

const REQUEST_HEADERS = {
  ':method': 'POST',
  'content-type': 'application/grpc',
  te: 'trailers',
  'user-agent': 'expertmesh',
};

/**
 * One bidi call to one gRPC server, on a connection of its own, straight on Node's HTTP/2: with grpc-js the coordinator
 * would take half as much processor time again (docs/wire.md). Messages are bytes; frames are sent as soon as there is
 * a connection.
 */
export class GrpcStreamClient {
  /** Both are absent where the address is none. */
  #session: ClientHttp2Session | undefined;
  #stream: ClientHttp2Stream | undefined;
  readonly #events: GrpcStreamEvents;
  #hasEnded = false;
  #lastError: Error | undefined;

  /**
   * @param address `host:port`; what is none is told by `onEnd`, as any other end is.
   * @param secure absent, or without `security`, for plain text
   */
  constructor(address: string, method: StreamMethod, events: GrpcStreamEvents, secure?: SecureTo) {
    this.#events = events;
    try {
      this.#open(address, method, secure);
    } catch (thrown) {
      const reason = `cannot connect to ${address}: ${ExpertmeshError.from(thrown).message}`;
      setImmediate(() => {
        this.#end(reason);
      });
    }
  }

  /** Sends a message with its prefix in front; see writeGrpcPrefix. The buffer must not change any more. */
  send(frame: Buffer): void {
    this.#stream?.write(frame);
  }

  /** Ends stream and connection, without an event. */
  close(): void {
    this.#hasEnded = true;
    this.#session?.destroy();
  }

  #open(address: string, { path }: StreamMethod, secure: SecureTo | undefined): void {
    const security = secure?.security;
    const session = connect(`${security === undefined ? 'http' : 'https'}://${address}`, {
      settings: SESSION_SETTINGS,
      maxSessionMemory: MAX_SESSION_MEBIBYTES,
      ...(security !== undefined && clientTlsOptions(security, secure?.serverRoles ?? [])),
    });
    this.#session = session;
    this.#stream = session.request({ ...REQUEST_HEADERS, ':path': path }, { endStream: false });
    this.#listen(session, this.#stream, security);
  }

  #listen(session: ClientHttp2Session, stream: ClientHttp2Stream, security: TransportSecurity | undefined): void {
    const remember = (error: Error): void => {
      this.#lastError ??= security === undefined ? error : explained(error, security);
    };
    session.once('connect', () => {
      superviseSession(session);
      if (security !== undefined) guardSession(session, security);
    });
    session.once('remoteSettings', () => {
      if (!this.#hasEnded) this.#events.onReady();
    });
    session.on('error', remember);
    stream.on('error', remember);
    stream.once('close', () => {
      this.#end(this.#lastError?.message ?? 'the connection was closed');
    });
    stream.once('response', (headers) => {
      const status = headers[':status'];
      if (status !== 200) this.#end(`it answered with HTTP status ${String(status)}`);
      else this.#endBy(headers);
    });
    stream.once('trailers', (trailers: IncomingHttpHeaders) => {
      this.#endBy(trailers);
    });
    this.#read(stream);
  }

  #read(stream: ClientHttp2Stream): void {
    const reader = new GrpcFrameReader(MAX_MESSAGE_BYTES, UNCOUNTED, (message) => {
      if (!this.#hasEnded) this.#events.onMessage(message);
    });
    stream.on('data', (chunk: Buffer) => {
      if (this.#hasEnded) return;
      try {
        reader.push(chunk);
      } catch (thrown) {
        this.#end(ExpertmeshError.from(thrown).message);
      }
    });
  }

  /** Where the headers say how the call went, it is over. */
  #endBy(headers: IncomingHttpHeaders): void {
    const status = headers['grpc-status'];
    if (status === undefined) return;
    const message = headers['grpc-message'];
    if (status === '0') this.#end('it has closed the stream');
    else this.#end(typeof message === 'string' ? decodeMessage(message) : `gRPC status ${String(status)}`);
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.close();
    this.#events.onEnd(reason);
  }
}

// Percent-encoded, but a peer that does not do so is understood as well.
function decodeMessage(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
