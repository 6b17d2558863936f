import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { identityUri, type MeshIdentity } from '../mesh-identity.js';
import { type CertificateContent, writeCertificate } from './certificate.js';

const DAY_MS = 24 * 3600 * 1000;
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
  readonly hosts: readonly string[];
  readonly numDays: number;
}

export interface IssueRequest extends MeshIdentity {
  /** How people know it: the common name. */
  readonly name: string;
  /** For clients that check host names, such as grpcurl; processes of the mesh check roles. */
  readonly hosts: readonly string[];
  readonly numDays: number;
}

/** A new authority of a cluster, which signs itself. */
export function createAuthority(cluster: string, numDays: number, nowMs: number): KeyedCertificate {
  const key = newKey();
  const name = authorityName(cluster);
  const validity = validityOf(numDays, nowMs);
  const content = { ...validity, subject: name, issuer: name, isAuthority: true, uris: [], hosts: [] };
  return signed(content, key, key);
}

/**
 * A new key and a certificate for it, which ends no later than the authority's own.
 *
 * @throws ExpertmeshError `failed_precondition` for an authority that is over, or whose key is another one's.
 */
export function issueCertificate(authority: KeyedCertificate, request: IssueRequest, nowMs: number): KeyedCertificate {
  const { name, hosts, numDays } = request;
  const own = new X509Certificate(authority.cert);
  const key = createPrivateKey(authority.key);
  if (!own.checkPrivateKey(key))
    throw new ExpertmeshError('failed_precondition', "the authority's key is not the one of its certificate");
  const endMs = Date.parse(own.validTo);
  if (endMs <= nowMs)
    throw new ExpertmeshError('failed_precondition', `the authority was valid until ${own.validTo}: make a new one`);
  const validity = validityOf(numDays, nowMs);
  const issuer = authorityName(clusterOfAuthority(own));
  return signed(
    {
      ...validity,
      notAfterMs: Math.min(validity.notAfterMs, endMs),
      subject: name,
      issuer,
      isAuthority: false,
      uris: [identityUri(request)],
      hosts,
    },
    newKey(),
    { public: createPublicKey(key), private: key },
  );
}

interface KeyPair {
  readonly public: KeyObject;
  readonly private: KeyObject;
}

type Unsigned = Omit<CertificateContent, 'serial' | 'publicKey' | 'issuerKey'>;

function signed(content: Unsigned, key: KeyPair, issuerKey: KeyPair): KeyedCertificate {
  const serial = randomBytes(SERIAL_BYTES);
  const cert = writeCertificate({ ...content, serial, publicKey: key.public, issuerKey });
  return { cert, key: key.private.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

function newKey(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { public: publicKey, private: privateKey };
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
