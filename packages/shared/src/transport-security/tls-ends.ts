import { X509Certificate } from 'node:crypto';
import { type ConnectionOptions, type PeerCertificate, type TlsOptions, type TLSSocket } from 'node:tls';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Credentials } from './credentials.js';
import { identityOf, type MeshIdentity, type Role } from './mesh-identity.js';
import { revocationError } from './revocation/revocation-error.js';
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
  const { credentials, secureContext } = security;
  const { cluster } = credentials.identity;
  return {
    secureContext,
    checkServerIdentity: (host, certificate) => wrongServer(certificate, host, credentials, cluster, roles),
  };
}

/** NATS may be shared by clusters: its server has the role, in whichever. */
export function natsTlsOptions({ credentials }: TransportSecurity): ConnectionOptions {
  return {
    ...credentials.context,
    checkServerIdentity: (host, certificate) => wrongServer(certificate, host, credentials, undefined, ['nats']),
  };
}

/** Closes a connection when the certificate of its other side is revoked. */
export function guardSocket(socket: TLSSocket, security: TransportSecurity): void {
  const stop = security.guard(socket.getPeerCertificate().raw, () => socket.destroy());
  socket.once('close', stop);
}

/** What TLS says of its lists says neither which file that is nor what to do. */
export function explained(error: Error, { files }: TransportSecurity): Error {
  // A stream that waits for the connection has an error of its own around that.
  const cause = error.cause instanceof Error ? error.cause : error;
  const { code } = cause as NodeJS.ErrnoException;
  const remedy = code === undefined ? undefined : LIST_REMEDIES[code];
  if (remedy === undefined || files.crl === undefined) return error;
  return new ExpertmeshError('unavailable', `${cause.message} (--tls-crl ${files.crl}): ${remedy}`, { cause });
}

const LIST_REMEDIES: Readonly<Partial<Record<string, string>>> = {
  CERT_REVOKED: 'the other side needs another certificate',
  CRL_HAS_EXPIRED: 'put the newest list of the authority there',
  CRL_NOT_YET_VALID: 'is the clock of this machine right?',
  UNABLE_TO_GET_CRL: 'add the list of every authority between the certificate of the other side and --tls-ca',
};

/** Why a server is not the one that is asked for; undefined where it is. */
function wrongServer(
  { raw }: PeerCertificate,
  host: string,
  credentials: Credentials,
  cluster: string | undefined,
  roles: readonly Role[],
): Error | undefined {
  try {
    const certificate = new X509Certificate(raw);
    const identity = identityOf(certificate);
    requireNotRevoked(certificate, credentials);
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
 * @throws ExpertmeshError `permission_denied` for a certificate without a role, of another cluster, or revoked.
 */
export function peerIdentity(certificateDer: Buffer, { credentials }: TransportSecurity): MeshIdentity {
  const certificate = new X509Certificate(certificateDer);
  const identity = identityOf(certificate);
  requireNotRevoked(certificate, credentials);
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

function requireNotRevoked(certificate: X509Certificate, credentials: Credentials): void {
  const reason = revocationError(certificate, credentials);
  if (reason !== undefined) throw reason;
}

function requireCluster(identity: MeshIdentity, cluster: string): void {
  if (identity.cluster === cluster) return;
  throw new ExpertmeshError(
    'permission_denied',
    `the certificate is of a ${identity.role} in cluster ${identity.cluster}, and this is cluster ${cluster}`,
  );
}
