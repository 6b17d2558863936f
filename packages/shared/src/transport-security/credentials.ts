import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { identityOf, type MeshIdentity } from './mesh-identity.js';
import { readRevocations, type Revocations } from './revocation/revocations.js';

/** Paths of PEM files: a certificate, with those between it and an authority after it, and its key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface TlsFiles extends CertificateFiles {
  /** The authorities that are trusted, one or several. */
  readonly ca: string;
  /** Their lists of certificates that are not to be trusted any more; none are asked for where it is absent. */
  readonly crl?: string | undefined;
}

/** What the files hold, checked. */
export interface Certificate {
  readonly x509: X509Certificate;
  readonly validToMs: number;
  /** For `tls.createSecureContext` and everything that takes its options. */
  readonly context: SecureContextOptions;
}

export interface Credentials extends Certificate {
  readonly identity: MeshIdentity;
  /** Undefined where no lists are asked for. */
  readonly revocations: Revocations | undefined;
}

/** Older versions are spoken with nobody: every process of a mesh is ours, or chosen for it. */
const MIN_VERSION = 'TLSv1.3';

/**
 * Reads the files and checks that they belong together.
 *
 * @throws ExpertmeshError as readCertificate and readRevocations, and `permission_denied` for a certificate without a
 * role.
 */
export function readCredentials({ ca: caPath, crl, ...files }: TlsFiles, nowMs: number): Credentials {
  const certificate = readCertificate(files, nowMs);
  const ca = read(caPath);
  const authorities = parse(caPath, 'certificates of authorities in PEM', () => certificatesOf(ca));
  const between = parse(files.cert, 'certificates in PEM', () => certificatesOf(read(files.cert)).slice(1));
  const revocations =
    crl === undefined ? undefined : readRevocations(crl, read(crl), [...authorities, ...between], nowMs);
  const lists = revocations === undefined ? {} : { crl: [...revocations.pems] };
  const context = { ...certificate.context, ca, ...lists, minVersion: MIN_VERSION } as const;
  return { ...certificate, context, identity: identityOf(certificate.x509), revocations };
}

/** @throws where the first is no certificate. */
function certificatesOf(text: string): X509Certificate[] {
  const pems = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [text];
  return pems.map((pem) => new X509Certificate(pem));
}

/**
 * @throws ExpertmeshError `not_found` for a file that cannot be read, `failed_precondition` for one that is wrong, or a
 * certificate that is over.
 */
export function readCertificate(files: CertificateFiles, nowMs: number): Certificate {
  const context = { cert: read(files.cert), key: read(files.key) };
  const x509 = parse(files.cert, 'a certificate in PEM', () => new X509Certificate(context.cert));
  const key = parse(files.key, 'a private key in PEM', () => createPrivateKey(context.key));
  if (!x509.checkPrivateKey(key))
    throw wrong(files.key, `it is not the key of the certificate ${files.cert}: the two must be replaced together`);
  const validToMs = Date.parse(x509.validTo);
  if (validToMs <= nowMs)
    throw wrong(files.cert, `it ended on ${new Date(validToMs).toISOString()}: "expertmesh certs rotate" renews it`);
  parse(files.cert, 'what TLS can be spoken with', () => createSecureContext(context));
  return { x509, validToMs, context };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ExpertmeshError('not_found', `${path} cannot be read: ${ExpertmeshError.from(cause).message}`, { cause });
  }
}

function parse<T>(path: string, what: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw wrong(path, `it is not ${what} (${ExpertmeshError.from(cause).message})`, cause);
  }
}

const wrong = (path: string, reason: string, cause?: unknown): ExpertmeshError =>
  new ExpertmeshError('failed_precondition', `${path}: ${reason}`, { cause });
