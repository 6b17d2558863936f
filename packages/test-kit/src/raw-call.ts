import { readFileSync } from 'node:fs';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { type TlsFiles } from '@expertmesh/shared/transport-security/credentials';

const PATIENCE_MS = 1_000;

/** How a call went: refused below gRPC, with a status of gRPC, or taken by its handler, which has not answered yet. */
export type RawOutcome =
  | { readonly kind: 'no connection'; readonly reason: string }
  | { readonly kind: 'status'; readonly status: number; readonly message: string }
  | { readonly kind: 'taken' };

/**
 * Calls a method with one empty message, as a stranger with any certificate, or none, would: nothing is checked here.
 *
 * @param files undefined for plain text
 */
export function rawCall(port: number, path: string, files: TlsFiles | undefined): Promise<RawOutcome> {
  const session = connect(`${files === undefined ? 'http' : 'https'}://127.0.0.1:${String(port)}`, {
    ...(files && { cert: readFileSync(files.cert), key: readFileSync(files.key), rejectUnauthorized: false }),
  });
  return new Promise<RawOutcome>((resolve) => {
    const fail = (error?: Error): void => {
      resolve({ kind: 'no connection', reason: error?.message ?? 'closed' });
    };
    const take = (): void => {
      resolve({ kind: 'taken' });
    };
    const end = (headers: IncomingHttpHeaders): void => {
      const status = headers['grpc-status'];
      if (status === undefined) take();
      const message = decodeURIComponent(String(headers['grpc-message'] ?? ''));
      resolve({ kind: 'status', status: Number(status), message });
    };
    session.on('error', fail).once('close', fail);
    session.once('remoteSettings', () => setTimeout(take, PATIENCE_MS));
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    const stream = session.request(headers, { endStream: false });
    stream.on('error', fail).once('response', end).once('trailers', end).once('close', fail);
    stream.end(Buffer.alloc(5));
  }).finally(() => {
    session.destroy();
  });
}
