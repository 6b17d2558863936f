import { absent, type ConfigOf, constant, option } from './option.js';
import { onOff, path } from './option-value.js';

/** Of everything that speaks gRPC with a cluster; see docs/security.md. */
export const TLS_OPTIONS = {
  tlsCa: option({
    description: 'Certificates of the authorities that are trusted, in PEM: gRPC and NATS then speak mutual TLS.',
    value: path('<file>'),
    default: absent('plain text'),
  }),
  tlsCert: option({
    description:
      'Own certificate, in PEM, as "expertmesh certs issue" makes it. It is read again when the file changes, and on ' +
      'SIGHUP.',
    value: path('<file>'),
    default: absent('plain text'),
  }),
  tlsKey: option({
    description: 'Private key of --tls-cert, in PEM.',
    value: path('<file>'),
    default: absent('plain text'),
  }),
  tlsCrl: option({
    description:
      'Revocation lists of the authorities of --tls-ca, in PEM, one of each, as "expertmesh certs revoke" writes ' +
      'them: certificates in them are refused, and their connections closed. It is read again like --tls-cert.',
    value: path('<file>'),
    default: absent('certificates hold until they end'),
  }),
} as const;

/** Of what listens. */
export const PLAINTEXT_MESH = option({
  description:
    'Listen beyond this machine without --tls-ca, --tls-cert and --tls-key: gRPC has no encryption then, and ' +
    'whoever reaches the ports may command. Only for networks that the cluster has to itself.',
  value: onOff(),
  default: constant(false),
});

/** Of the HTTP port. */
export const HTTP_TLS_OPTIONS = {
  httpTlsCert: option({
    description:
      'Certificate of the HTTP port, in PEM, with those between it and its authority: the API is HTTPS then. It is ' +
      'read again when the file changes, and on SIGHUP.',
    value: path('<file>'),
    default: absent('HTTP in plain text'),
  }),
  httpTlsKey: option({
    description: 'Private key of --http-tls-cert, in PEM.',
    value: path('<file>'),
    default: absent('HTTP in plain text'),
  }),
} as const;

export type TlsConfig = ConfigOf<typeof TLS_OPTIONS>;

/** What is wrong with the files of the mesh. */
export function tlsContradiction({ tlsCa, tlsCert, tlsKey, tlsCrl }: TlsConfig): string | undefined {
  const numGiven = [tlsCa, tlsCert, tlsKey].filter((given) => given !== undefined).length;
  if (numGiven !== 0 && numGiven !== 3) return '--tls-ca, --tls-cert and --tls-key go together';
  return numGiven === 0 && tlsCrl !== undefined
    ? '--tls-crl is of no use without --tls-ca, --tls-cert and --tls-key: give those as well'
    : undefined;
}

/** As tlsContradiction, and whether a host may be listened on as it is. */
export function listeningContradiction(
  config: TlsConfig & { readonly plaintextMesh: boolean },
  host: string,
  hostFlag: string,
): string | undefined {
  const contradiction = tlsContradiction(config);
  if (contradiction !== undefined) return contradiction;
  if (config.tlsCa !== undefined)
    return config.plaintextMesh ? '--plaintext-mesh and --tls-ca exclude each other' : undefined;
  if (config.plaintextMesh || isLoopback(host)) return undefined;
  return (
    `${hostFlag} ${host} is reached from other machines, and gRPC there needs certificates: make them with ` +
    '"expertmesh certs init" and "expertmesh certs issue", and give --tls-ca, --tls-cert and --tls-key; or listen on ' +
    '127.0.0.1; or, in a network that the cluster has to itself, give --plaintext-mesh'
  );
}

/** Whether only this machine reaches it. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
