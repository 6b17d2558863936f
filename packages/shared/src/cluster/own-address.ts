import { hostname } from 'node:os';
import { formatNetworkAddress } from '../config/network-address.js';

/** The id of this process: what was configured, or the host's name and the port that it listens on. */
export function ownMemberId(configured: string | undefined, port: number): string {
  return configured ?? `${hostname()}-${String(port)}`;
}

/** Where the others of the cluster reach a port of this process, `host:port`. */
export function advertisedAddress(
  { host, advertiseHost }: { readonly host: string; readonly advertiseHost: string | undefined },
  port: number,
): string {
  return formatNetworkAddress({ host: advertiseHost ?? (isAnyAddress(host) ? hostname() : host), port });
}

const isAnyAddress = (host: string): boolean => host === '0.0.0.0' || host === '::';
