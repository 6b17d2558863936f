import { type TlsConfig } from '../config/tls-options.js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type TlsFiles } from './credentials.js';
import { type Role } from './mesh-identity.js';
import { TransportSecurity } from './transport-security.js';
import { type CertificateLog } from './watched-certificates.js';

/** Undefined where the mesh is plain text. */
export function tlsFilesOf({ tlsCa: ca, tlsCert: cert, tlsKey: key, tlsCrl: crl }: TlsConfig): TlsFiles | undefined {
  return ca === undefined || cert === undefined || key === undefined ? undefined : { ca, cert, key, crl };
}

/** What a command speaks with, whatever its role: which methods that may call is the servers' matter. */
export function openOwnSecurity(config: TlsConfig): TransportSecurity | undefined {
  const files = tlsFilesOf(config);
  return files && new TransportSecurity(files, undefined);
}

/**
 * Opens what the configuration names; undefined where the mesh is plain text.
 *
 * @param role that the certificate must have
 * @param cluster that it must be of, where processes meet by a cluster's name
 * @throws ExpertmeshError as readCredentials, and `failed_precondition` for a certificate of something else.
 */
export function openTransportSecurity(
  config: TlsConfig,
  role: Role,
  cluster: string | undefined,
  log: CertificateLog,
): TransportSecurity | undefined {
  const files = tlsFilesOf(config);
  if (files === undefined) return undefined;
  const security = new TransportSecurity(files, log);
  const { identity } = security.credentials;
  if (identity.role === role && (cluster === undefined || identity.cluster === cluster)) return security;
  security.close();
  throw new ExpertmeshError(
    'failed_precondition',
    `${files.cert} is a certificate of role ${identity.role} in cluster ${identity.cluster}, and this is a ${role}` +
      `${cluster === undefined ? '' : ` in cluster ${cluster}`}: "expertmesh certs issue ${role}" makes one`,
  );
}
