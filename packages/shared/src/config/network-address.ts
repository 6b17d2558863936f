/** A host name or IP address (IPv6 without brackets) and a port. */
export interface NetworkAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads "host", "host:port", "[::1]" or "[::1]:port"; undefined when it is none of these. */
export function parseNetworkAddress(text: string, defaultPort: number): NetworkAddress | undefined {
  const [, bracketed, plain, portText] = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]/]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = portText === undefined ? defaultPort : Number(portText);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

export function formatNetworkAddress({ host, port }: NetworkAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}
