import { stat } from 'node:fs/promises';
import { DEFAULT_PORTS } from '../config/default-ports.js';
import { formatNetworkAddress, parseNetworkAddress } from '../config/network-address.js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type TransportSecurity } from '../transport-security/transport-security.js';
import { openDirectorySource } from './directory-source.js';
import { type FileSource } from './file-source.js';
import { openRpcSource } from './rpc-source.js';
import { openWebSource } from './web-source.js';

/**
 * A copy of the store by what an operator calls it: a URL, a directory, or the address of a worker's control port or a
 * coordinator's gRPC port.
 *
 * @throws ExpertmeshError `invalid_argument` for text that is none of these, and as the sources.
 */
export async function openSource(
  text: string,
  storeId: string,
  security: TransportSecurity | undefined,
  signal: AbortSignal,
): Promise<FileSource> {
  if (/^https?:\/\//.test(text)) return openWebSource(text, storeId, signal);
  if (await isDirectory(text)) return openDirectorySource(text, storeId);
  const address = parseNetworkAddress(text, DEFAULT_PORTS.grpc);
  if (address !== undefined) return openRpcSource(formatNetworkAddress(address), storeId, security);
  throw new ExpertmeshError(
    'invalid_argument',
    `${text} is no source of a store: name a directory that exists, an address such as box-1:9101, or an https:// URL`,
  );
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
