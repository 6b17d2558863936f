import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { requireFreePorts } from './free-ports.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function takePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const complaint = async (port: number, grpcPort: number): Promise<unknown> =>
  requireFreePorts({ host: '127.0.0.1', port, grpcPort }).then(
    () => 'none',
    (error: unknown) => (error as Error).message,
  );

describe('requireFreePorts', () => {
  it('names every port that is taken, with its flag', async () => {
    const [http, grpc] = [await takePort(), await takePort()];
    expect(await complaint(http, grpc)).toBe(
      `127.0.0.1:${String(http)} and 127.0.0.1:${String(grpc)} are taken by another process: ` +
        'stop it, or choose other ports with --port and --grpc-port',
    );
    expect(await complaint(0, grpc)).toBe(
      `127.0.0.1:${String(grpc)} is taken by another process: stop it, or choose another port with --grpc-port`,
    );
    expect(await complaint(0, 0)).toBe('none');
  });

  it('names the host where that is at fault', async () => {
    await expect(requireFreePorts({ host: '192.0.2.1', port: 0, grpcPort: 0 })).rejects.toThrow('--host and --port');
  });
});
