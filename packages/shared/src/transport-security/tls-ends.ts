import { X509Certificate } from 'node:crypto';
import { type ConnectionOptions, type PeerCertificate, type TlsOptions } from 'node:tls';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { identityOf, type MeshIdentity, type Role } from './mesh-identity.js';
import { type TransportSecurity } from './transport-security.js';

/** A stranger holds a connection for no longer than this. */
const HANDSHAKE_TIMEOUT_MS = 5_000;

/** What a server is made with: whoever has no certificate of a trusted authority does not come in. */
export function serverTlsOptions({ credentials }: TransportSecurity): TlsOptions {
  return {
    ...credentials.context,
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
}

/**
 * What a client connects with. The server is known by its role in the own cluster rather than by its host name: workers
 * are reached by addresses that no certificate could name beforehand.
 */
export function clientTlsOptions(security: TransportSecurity, roles: readonly Role[]): ConnectionOptions {
  const { cluster } = security.credentials.identity;
  return {
    secureContext: security.secureContext,
    checkServerIdentity: (host, certificate) => wrongServer(certificate, host, cluster, roles),
  };
}

/** NATS may be shared by clusters: its server has the role, in whichever. */
export function natsTlsOptions({ credentials }: TransportSecurity): ConnectionOptions {
  return {
    ...credentials.context,
    checkServerIdentity: (host, certificate) => wrongServer(certificate, host, undefined, ['nats']),
  };
}

/** Why a server is not the one that is asked for; undefined where it is. */
function wrongServer(
  { raw }: PeerCertificate,
  host: string,
  cluster: string | undefined,
  roles: readonly Role[],
): Error | undefined {
  try {
    const identity = identityOf(new X509Certificate(raw));
    if (cluster !== undefined) requireCluster(identity, cluster);
    if (roles.includes(identity.role)) return undefined;
    throw new ExpertmeshError(
      'permission_denied',
      `${host} shows a certificate of role ${identity.role}, and a ${roles.join(' or ')} is asked for`,
    );
  } catch (thrown) {
    return ExpertmeshError.from(thrown);
  }
}

/**
 * Whom the client of a connection says to be, after TLS has found that a trusted authority says so.
 *
 * @throws ExpertmeshError `permission_denied` for a certificate without a role, or of another cluster.
 */
export function peerIdentity(certificateDer: Buffer, { credentials }: TransportSecurity): MeshIdentity {
  const identity = identityOf(new X509Certificate(certificateDer));
  requireCluster(identity, credentials.identity.cluster);
  return identity;
}

/** Whether the client of a connection has shown a certificate of that role; nobody has on a port in plain text. */
export function hasRole(
  certificateDer: Buffer | undefined,
  role: Role,
  security: TransportSecurity | undefined,
): boolean {
  if (security === undefined || certificateDer === undefined) return false;
  try {
    return peerIdentity(certificateDer, security).role === role;
  } catch {
    return false;
  }
}

function requireCluster(identity: MeshIdentity, cluster: string): void {
  if (identity.cluster === cluster) return;
  throw new ExpertmeshError(
    'permission_denied',
    `the certificate is of a ${identity.role} in cluster ${identity.cluster}, and this is cluster ${cluster}`,
  );
}
