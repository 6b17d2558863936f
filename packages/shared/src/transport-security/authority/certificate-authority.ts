import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { DAY_MS } from '../expiry.js';
import { identityUri, type MeshIdentity } from '../mesh-identity.js';
import { type CertificateContent, writeCertificate } from './certificate.js';
import { type RevokedSerial, writeRevocationList } from './revocation-list.js';

/** Clocks of boxes differ. */
const BACKDATE_MS = 5 * 60_000;
const SERIAL_BYTES = 16;

/** A certificate and its private key, in PEM. */
export interface KeyedCertificate {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is to say. */
export interface CertificateRequest {
  /** How people know it: the common name. */
  readonly name: string;
  readonly uris: readonly string[];
  /** For clients that check host names, such as grpcurl; processes of the mesh check roles. */
  readonly hosts: readonly string[];
  readonly numDays: number;
}

export interface IssueRequest extends MeshIdentity, Omit<CertificateRequest, 'uris'> {}

/** A new authority of a cluster, which signs itself. */
export function createAuthority(cluster: string, numDays: number, nowMs: number): KeyedCertificate {
  const key = newKey();
  const name = authorityName(cluster);
  const validity = validityOf(numDays, nowMs);
  const content = { ...validity, subject: name, issuer: name, isAuthority: true, uris: [], hosts: [] };
  return { cert: signed(content, key.public, key), key: pemOf(key.private) };
}

/**
 * A new key and a certificate of a process for it, which ends no later than the authority's own.
 *
 * @throws ExpertmeshError as certifyKey.
 */
export function issueCertificate(authority: KeyedCertificate, request: IssueRequest, nowMs: number): KeyedCertificate {
  const key = newKey();
  const uris = [identityUri(request)];
  return { cert: certifyKey(authority, key.public, { ...request, uris }, nowMs), key: pemOf(key.private) };
}

/**
 * A certificate for a key that is there, in PEM.
 *
 * @throws ExpertmeshError `failed_precondition` for an authority that is over, or whose key is another one's.
 */
export function certifyKey(
  authority: KeyedCertificate,
  publicKey: KeyObject,
  { name, uris, hosts, numDays }: CertificateRequest,
  nowMs: number,
): string {
  const { issuer, key, endMs } = signerOf(authority, nowMs);
  const { notBeforeMs, notAfterMs: wantedMs } = validityOf(numDays, nowMs);
  const validity = { notBeforeMs, notAfterMs: Math.min(wantedMs, endMs) };
  const content = { ...validity, subject: name, issuer, isAuthority: false, uris, hosts };
  return signed(content, publicKey, key);
}

/**
 * The list of all certificates that the authority has revoked, in PEM. It holds until the authority ends: one that had
 * to be renewed would keep a cluster from making connections when nobody has renewed it.
 *
 * @throws ExpertmeshError as certifyKey.
 */
export function signRevocationList(
  authority: KeyedCertificate,
  revoked: readonly RevokedSerial[],
  nowMs: number,
): string {
  const { issuer, key, endMs } = signerOf(authority, nowMs);
  return writeRevocationList({
    issuer,
    issuerKey: key,
    thisUpdateMs: nowMs - BACKDATE_MS,
    nextUpdateMs: endMs,
    number: nowMs,
    revoked,
  });
}

function signerOf({ cert, key: keyPem }: KeyedCertificate, nowMs: number) {
  const own = new X509Certificate(cert);
  const key = createPrivateKey(keyPem);
  if (!own.checkPrivateKey(key))
    throw new ExpertmeshError('failed_precondition', "the authority's key is not the one of its certificate");
  const endMs = Date.parse(own.validTo);
  if (endMs <= nowMs)
    throw new ExpertmeshError('failed_precondition', `the authority was valid until ${own.validTo}: make a new one`);
  const issuer = authorityName(clusterOfAuthority(own));
  return { issuer, key: { public: createPublicKey(key), private: key }, endMs };
}

interface KeyPair {
  readonly public: KeyObject;
  readonly private: KeyObject;
}

type Unsigned = Omit<CertificateContent, 'serial' | 'publicKey' | 'issuerKey'>;

const signed = (content: Unsigned, publicKey: KeyObject, issuerKey: KeyPair): string =>
  writeCertificate({ ...content, serial: randomBytes(SERIAL_BYTES), publicKey, issuerKey });

/** ECDSA over P-256. */
export function newKey(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { public: publicKey, private: privateKey };
}

export function pemOf(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const validityOf = (numDays: number, nowMs: number) => ({
  notBeforeMs: nowMs - BACKDATE_MS,
  notAfterMs: nowMs + numDays * DAY_MS,
});

/**
 * @throws ExpertmeshError `failed_precondition` for an authority that was not made here: its name would not be written
 * as its own certificate has it, and what it issued would not be trusted.
 */
export function clusterOfAuthority({ subject }: Pick<X509Certificate, 'subject'>): string {
  const [, cluster] = /^CN=Expertmesh ([A-Za-z0-9_-]{1,64})$/.exec(subject) ?? [];
  if (cluster !== undefined) return cluster;
  throw new ExpertmeshError(
    'failed_precondition',
    `the authority ${JSON.stringify(subject)} is not one of "expertmesh certs init": issue certificates where it ` +
      'is kept',
  );
}

const authorityName = (cluster: string): string => `Expertmesh ${cluster}`;
