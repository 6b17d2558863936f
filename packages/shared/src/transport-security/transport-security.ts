import { createSecureContext, type SecureContext } from 'node:tls';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Credentials, readCredentials, type TlsFiles } from './credentials.js';
import { type CertificateLog, WatchedCertificates } from './watched-certificates.js';

/**
 * What a process shows to others, and whom it trusts. Connections that are made after the files have changed use the
 * new ones, those that are open go on. A thread has its own, since what TLS needs cannot be sent to one.
 */
export class TransportSecurity {
  readonly files: TlsFiles;
  readonly #certificates: WatchedCertificates<Credentials & { readonly secureContext: SecureContext }>;

  /** @throws ExpertmeshError as readCredentials. */
  constructor(files: TlsFiles, log: CertificateLog) {
    const read = (before: Credentials | undefined) => {
      const credentials = readCredentials(files, Date.now());
      if (before !== undefined) requireSameIdentity(before, credentials);
      return { ...credentials, secureContext: createSecureContext(credentials.context) };
    };
    this.files = files;
    this.#certificates = new WatchedCertificates([files.ca, files.cert, files.key], read, log);
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

  /** The files are no longer looked at; what was read goes on to hold. */
  close(): void {
    this.#certificates.close();
  }
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
