import { RpcClient } from '../rpc/client.js';
import { systemClock } from '../rpc/clock.js';
import { storeService } from '../rpc/services.js';
import { type TransportSecurity } from '../transport-security/transport-security.js';
import { type FileSource } from './file-source.js';

/** For each chunk of a file. */
const CHUNK_MS = 10_000;

/** StoreService of a worker (its control port) or a coordinator, which refuses another store itself. */
export function openRpcSource(address: string, storeId: string, security: TransportSecurity | undefined): FileSource {
  const secure = { security, serverRoles: ['worker', 'coordinator'] } as const;
  const client = new RpcClient(address, address, systemClock, {}, secure);
  return {
    name: address,
    async *read({ path }, signal) {
      const options = { deadlineMs: CHUNK_MS, signal, isPerMessage: true };
      for await (const { data } of client.serverStream(storeService.readFile, { storeId, path }, options)) yield data;
    },
    close: () => {
      client.close();
    },
  };
}
