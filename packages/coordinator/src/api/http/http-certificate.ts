import { type Server } from 'node:http';
import { Server as SecureServer, type TlsOptions } from 'node:tls';
import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type Certificate, readCertificate } from '@expertmesh/shared/transport-security/credentials';
import { expiryWarning } from '@expertmesh/shared/transport-security/expiry';
import { type CertificateLog, WatchedCertificates } from '@expertmesh/shared/transport-security/watched-certificates';

/** Clients of HTTP are anybody's; older versions than this are broken. */
const MIN_VERSION = 'TLSv1.2';

/** The certificate of the HTTP port, whatever its files hold. */
export class HttpCertificate {
  readonly #certificates: WatchedCertificates<Certificate>;

  constructor(certificates: WatchedCertificates<Certificate>) {
    this.#certificates = certificates;
  }

  /** What the server is made with. */
  serverOptions(): TlsOptions {
    return { ...this.#certificates.current.context, minVersion: MIN_VERSION };
  }

  /** Connections that are made after the files have changed see what they hold then. */
  follow(server: Server | SecureServer): void {
    if (!(server instanceof SecureServer)) return;
    this.#certificates.onChange(() => {
      server.setSecureContext(this.serverOptions());
    });
    server.once('close', () => {
      this.#certificates.close();
    });
  }
}

/**
 * Undefined where the API is HTTP in plain text.
 *
 * @throws ExpertmeshError as readCertificate.
 */
export function openHttpCertificate(
  { httpTlsCert: cert, httpTlsKey: key }: Pick<CoordinatorConfig, 'httpTlsCert' | 'httpTlsKey'>,
  log: CertificateLog,
): HttpCertificate | undefined {
  if (cert === undefined || key === undefined) return undefined;
  const read = (): Certificate => readCertificate({ cert, key }, Date.now());
  const warnings = ({ validToMs }: Certificate, nowMs: number): string[] => {
    const warning = expiryWarning(validToMs, nowMs);
    return warning === undefined ? [] : [warning];
  };
  return new HttpCertificate(new WatchedCertificates([cert, key], read, warnings, log));
}
