import { type X509Certificate } from 'node:crypto';
import { type ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type Credentials } from '../credentials.js';
import { type CertificateLog } from '../watched-certificates.js';
import { revocationError } from './revocation-error.js';

export interface GuardedConnection {
  /** Of the other side. */
  readonly certificate: X509Certificate;
  /** Called at most once. */
  readonly end: (reason: ExpertmeshError) => void;
}

/** Connections that are open, and end when the certificate of their other side is revoked. */
export class GuardedConnections {
  readonly #open = new Set<GuardedConnection>();
  readonly #log: CertificateLog;

  constructor(log: CertificateLog) {
    this.#log = log;
  }

  /** @returns what takes it out again. */
  add(connection: GuardedConnection, credentials: Credentials): () => void {
    this.#open.add(connection);
    this.#endIfRevoked(connection, credentials);
    return () => {
      this.#open.delete(connection);
    };
  }

  endRevoked(credentials: Credentials): void {
    for (const connection of [...this.#open]) this.#endIfRevoked(connection, credentials);
  }

  #endIfRevoked(connection: GuardedConnection, credentials: Credentials): void {
    const reason = revocationError(connection.certificate, credentials);
    if (reason === undefined || !this.#open.delete(connection)) return;
    this.#log?.warn({ reason: reason.message }, 'a connection is closed');
    connection.end(reason);
  }
}
