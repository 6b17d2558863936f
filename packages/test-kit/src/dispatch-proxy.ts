import {
  connect,
  createServer,
  type ClientHttp2Session,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { MAX_MESSAGE_BYTES } from '@expertmesh/shared/limits/limits';
import { GrpcFrameReader } from '@expertmesh/shared/rpc/grpc-stream/grpc-frame';
import { UNCOUNTED } from '@expertmesh/shared/rpc/grpc-stream/partial-memory';

/**
 * Sees every message without gRPC's prefix, and says what goes on in its place: the same, another one, several, or
 * none.
 */
export type ChangeMessage = (message: Buffer) => readonly Uint8Array[];

/**
 * A proxy before a worker's data port that knows HTTP/2 and the framing of gRPC, so that it can change what messages
 * say and leave all around them intact. Plain text only.
 */
export class DispatchProxy {
  onCall: ChangeMessage = (message) => [message];
  onAnswer: ChangeMessage = (message) => [message];
  readonly #server: Http2Server;
  readonly #target: string;
  readonly #sessions = new Set<ServerHttp2Session | ClientHttp2Session>();

  private constructor(server: Http2Server, target: string) {
    this.#server = server;
    this.#target = target;
    server.on('session', (session) => {
      this.#own(session);
    });
    server.on('stream', (stream, headers) => {
      this.#forward(stream, headers);
    });
  }

  /** @param target `host:port` of the worker's data port */
  static async start(target: string, listen = { host: '127.0.0.1', port: 0 }): Promise<DispatchProxy> {
    const server = createServer({ settings: SETTINGS }).listen(listen.port, listen.host);
    await once(server, 'listening');
    return new DispatchProxy(server, target);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #forward(client: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const session = connect(`http://${this.#target}`, { settings: SETTINGS });
    this.#own(session);
    const { ':authority': _, ...rest } = headers;
    const worker = session.request(rest, { endStream: false });
    const end = (): void => {
      client.destroy();
      session.destroy();
    };
    worker.once('response', (answered) => {
      client.respond(answered, { waitForTrailers: true });
    });
    worker.once('trailers', (trailers: IncomingHttpHeaders) => {
      client.once('wantTrailers', () => {
        client.sendTrailers(trailers);
      });
      client.end();
    });
    const reader = (change: (message: Buffer) => readonly Uint8Array[], send: (frame: Buffer) => void) => {
      const frames = new GrpcFrameReader(MAX_MESSAGE_BYTES, UNCOUNTED, (message) => {
        for (const changed of change(message)) send(framed(changed));
      });
      return (chunk: Buffer) => {
        frames.push(chunk);
      };
    };
    client.on(
      'data',
      reader(
        (message) => this.onCall(message),
        (frame) => void worker.write(frame),
      ),
    );
    worker.on(
      'data',
      reader(
        (message) => this.onAnswer(message),
        (frame) => void client.write(frame),
      ),
    );
    client.on('end', () => worker.end());
    for (const stream of [client, worker]) stream.on('error', end).on('close', end);
  }

  #own(session: ServerHttp2Session | ClientHttp2Session): void {
    this.#sessions.add(session);
    session.on('error', () => {
      session.destroy();
    });
    session.on('close', () => this.#sessions.delete(session));
  }
}

const SETTINGS = { initialWindowSize: 4 * 1024 * 1024 };

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.byteLength);
  frame.writeUInt32BE(message.byteLength, 1);
  frame.set(message, 5);
  return frame;
}
