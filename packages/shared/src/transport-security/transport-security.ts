import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Credentials, readCredentials, type TlsFiles } from './credentials.js';
import { expiryWarning } from './expiry.js';
import { GuardedConnections } from './revocation/guarded-connections.js';
import { type CertificateLog, WatchedCertificates } from './watched-certificates.js';

/**
 * What a process shows to others, and whom it trusts. Connections that are made after the files have changed use the
 * new ones, those that are open go on, but for those of certificates that a new list revokes. A thread has its own,
 * since what TLS needs cannot be sent to one.
 */
export class TransportSecurity {
  readonly files: TlsFiles;
  readonly #certificates: WatchedCertificates<Credentials & { readonly secureContext: SecureContext }>;
  readonly #guarded: GuardedConnections;

  /** @throws ExpertmeshError as readCredentials. */
  constructor(files: TlsFiles, log: CertificateLog) {
    const { ca, cert, key, crl } = files;
    const read = (before: Credentials | undefined) => {
      const credentials = readCredentials(files, Date.now());
      if (before !== undefined) requireSameIdentity(before, credentials);
      return { ...credentials, secureContext: createSecureContext(credentials.context) };
    };
    const paths = [ca, cert, key, ...(crl === undefined ? [] : [crl])];
    this.files = files;
    this.#certificates = new WatchedCertificates(paths, read, warningsOf, log);
    this.#guarded = new GuardedConnections(log);
    this.#certificates.onChange((credentials) => {
      this.#guarded.endRevoked(credentials);
    });
  }

  /** What holds now: look again for every connection. */
  get credentials(): Credentials {
    return this.#certificates.current;
  }

  get secureContext(): SecureContext {
    return this.#certificates.current.secureContext;
  }

  /** @returns what ends the listening. */
  onChange(listener: (credentials: Credentials) => void): () => void {
    return this.#certificates.onChange(listener);
  }

  /**
   * Has a connection ended as soon as the certificate of its other side is revoked, which may be at once: TLS looks at
   * the lists once, and not where it resumes a session.
   *
   * @param certificateDer undefined where the other side has shown none
   * @returns what ends the watching, to be called when the connection is over
   */
  guard(certificateDer: Buffer | undefined, end: (reason: ExpertmeshError) => void): () => void {
    if (certificateDer === undefined || this.files.crl === undefined) return () => undefined;
    return this.#guarded.add({ certificate: new X509Certificate(certificateDer), end }, this.credentials);
  }

  /** The files are no longer looked at; what was read goes on to hold. */
  close(): void {
    this.#certificates.close();
  }
}

/** What there is to say of what holds now: ends that are near, and that nobody will speak with this process. */
export function warningsOf({ x509, validToMs, revocations }: Credentials, nowMs: number): string[] {
  const revokedMs = revocations?.revokedMs(x509);
  const warnings = [
    expiryWarning(validToMs, nowMs),
    revocations?.warning(nowMs),
    revokedMs === undefined
      ? undefined
      : `the own certificate ${x509.serialNumber} was revoked on ${new Date(revokedMs).toISOString()}, and others ` +
        'refuse it: "expertmesh certs issue" makes another one',
  ];
  return warnings.filter((warning) => warning !== undefined);
}

/** A process does not become another one: what it is was checked when it started. */
function requireSameIdentity({ identity: before }: Credentials, { identity: after }: Credentials): void {
  if (before.role === after.role && before.cluster === after.cluster) return;
  throw new ExpertmeshError(
    'failed_precondition',
    `the new certificate is of role ${after.role} in cluster ${after.cluster}, ` +
      `and this process is ${before.role} in ${before.cluster}: start it again to change that`,
  );
}
