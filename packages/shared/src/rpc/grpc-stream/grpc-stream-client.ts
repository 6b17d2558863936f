import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { MAX_MESSAGE_BYTES } from '../../limits/limits.js';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { GrpcFrameReader } from './grpc-frame.js';
import { MAX_SESSION_MEBIBYTES, SESSION_SETTINGS, type StreamMethod, superviseSession } from './http2-session.js';

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
 * One bidi call to one gRPC server, on a connection of its own, straight on Node's HTTP/2: grpc-js would take three times the time
 * per message. Messages are bytes; frames are sent as soon as there is a connection.
 */
export class GrpcStreamClient {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #events: GrpcStreamEvents;
  #hasEnded = false;
  #lastError: Error | undefined;

  /** @param address `host:port` */
  constructor(address: string, { path }: StreamMethod, events: GrpcStreamEvents) {
    this.#events = events;
    this.#session = connect(`http://${address}`, {
      settings: SESSION_SETTINGS,
      maxSessionMemory: MAX_SESSION_MEBIBYTES,
    });
    this.#stream = this.#session.request({ ...REQUEST_HEADERS, ':path': path }, { endStream: false });
    this.#listen();
  }

  /** Sends a message with its prefix in front; see writeGrpcPrefix. The buffer must not change any more. */
  send(frame: Buffer): void {
    this.#stream.write(frame);
  }

  /** Ends stream and connection, without an event. */
  close(): void {
    this.#hasEnded = true;
    this.#session.destroy();
  }

  #listen(): void {
    const remember = (error: Error): void => {
      this.#lastError ??= error;
    };
    this.#session.once('connect', superviseSession);
    this.#session.once('remoteSettings', () => {
      if (!this.#hasEnded) this.#events.onReady();
    });
    this.#session.on('error', remember);
    this.#stream.on('error', remember);
    this.#stream.once('close', () => {
      this.#end(this.#lastError?.message ?? 'the connection was closed');
    });
    this.#stream.once('response', (headers) => {
      const status = headers[':status'];
      if (status !== 200) this.#end(`it answered with HTTP status ${String(status)}`);
      else this.#endBy(headers);
    });
    this.#stream.once('trailers', (trailers: IncomingHttpHeaders) => {
      this.#endBy(trailers);
    });
    this.#read();
  }

  #read(): void {
    const reader = new GrpcFrameReader(MAX_MESSAGE_BYTES, (message) => {
      if (!this.#hasEnded) this.#events.onMessage(message);
    });
    this.#stream.on('data', (chunk: Buffer) => {
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
