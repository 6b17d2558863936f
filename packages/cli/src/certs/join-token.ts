import { createHash, createHmac, randomBytes, timingSafeEqual, type X509Certificate } from 'node:crypto';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

const SECRET_BYTES = 16;

/**
 * What a box is told, once, to get its certificate: where to ask, by which authority to know who answers, and a secret
 * that shows who asks. Written as `host:port/hash/secret`.
 */
export interface JoinToken {
  readonly address: string;
  /** Of the authority's certificate, as `certificateHash` gives it. */
  readonly authorityHash: string;
  readonly secret: string;
}

export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

export function certificateHash({ raw }: Pick<X509Certificate, 'raw'>): string {
  return createHash('sha256').update(raw).digest('base64url');
}

export function formatToken({ address, authorityHash, secret }: JoinToken): string {
  return `${address}/${authorityHash}/${secret}`;
}

/** @throws ExpertmeshError `invalid_argument` for what is no token; the text is not repeated, as it is a secret. */
export function parseToken(text: string): JoinToken {
  const [, address, authorityHash, secret] = /^(\S+:\d{1,5})\/([\w-]{43})\/([\w-]{22})$/.exec(text.trim()) ?? [];
  if (address !== undefined && authorityHash !== undefined && secret !== undefined)
    return { address, authorityHash, secret };
  throw new ExpertmeshError('invalid_argument', 'the token is not one of "expertmesh certs invite": copy all of it');
}

/** Shows that who has a public key knows the secret, which is never sent. @param publicKey SPKI in DER */
export function macOf(publicKey: Buffer, secret: string): Buffer {
  return createHmac('sha256', secret).update('expertmesh join\0').update(publicKey).digest();
}

/** In constant time. */
export function isMacOf(mac: Buffer, publicKey: Buffer, secret: string): boolean {
  const expected = macOf(publicKey, secret);
  return mac.length === expected.length && timingSafeEqual(mac, expected);
}
