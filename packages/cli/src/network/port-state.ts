import { createServer } from 'node:net';

export type PortState =
  | { readonly kind: 'free' }
  | { readonly kind: 'taken' }
  /** Not a matter of who listens: a privileged port, or an address that is not this machine's. */
  | { readonly kind: 'unusable'; readonly reason: string };

/** Finds out by listening for a moment. Port 0 is always free. */
export async function portState(host: string, port: number): Promise<PortState> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'EADDRINUSE' ? { kind: 'taken' } : { kind: 'unusable', reason: error.message });
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => {
        resolve({ kind: 'free' });
      });
    });
  });
}
