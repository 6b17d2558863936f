import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';

/** So that what waits to be sent ends no connection. */
const MAX_SESSION_MEBIBYTES = 1024;

/** A gRPC call whose bytes the test writes, as a stranger without any library would. */
export interface RawRequest {
  readonly stream: ClientHttp2Stream;
  /** Status and message, once the server has answered so; pending where it never does. */
  readonly ended: Promise<{ readonly status: number; readonly message: string }>;
}

/** Errors of the connection are what a stranger would meet, too. */
export function rawSession(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${String(port)}`, { maxSessionMemory: MAX_SESSION_MEBIBYTES });
  session.on('error', () => undefined);
  return session;
}

export function beginRequest(session: ClientHttp2Session, path: string): RawRequest {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request(headers, { endStream: false });
  const ended = new Promise<{ readonly status: number; readonly message: string }>((resolve) => {
    const look = (answer: IncomingHttpHeaders): void => {
      if (answer['grpc-status'] === undefined) return;
      resolve({ status: Number(answer['grpc-status']), message: decodeURI([answer['grpc-message']].flat().join('')) });
    };
    stream.on('response', look).on('trailers', look);
    stream.on('error', () => undefined).resume();
  });
  return { stream, ended };
}

/** In front of a message that has, or claims to have, so many bytes. */
export function grpcPrefix(sizeBytes: number, flag = 0): Buffer {
  const prefix = Buffer.alloc(5, flag);
  prefix.writeUInt32BE(sizeBytes, 1);
  return prefix;
}
