import { type KeyObject, sign } from 'node:crypto';
import { authorityKeyId, ECDSA_WITH_SHA256, extension, nameOf, pem } from './certificate.js';
import { der } from './der.js';

export interface RevokedSerial {
  /** In hexadecimal digits, upper case, as X509Certificate has it. */
  readonly serial: string;
  readonly revokedMs: number;
}

/** What a revocation list says; see RFC 5280, section 5. */
export interface RevocationListContent {
  readonly issuer: string;
  readonly issuerKey: { readonly public: KeyObject; readonly private: KeyObject };
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  /** Higher than that of the list before. */
  readonly number: number;
  readonly revoked: readonly RevokedSerial[];
}

/** Writes and signs a list of version 2, with an ECDSA key; returns PEM. */
export function writeRevocationList(content: RevocationListContent): string {
  const { issuer, issuerKey, thisUpdateMs, nextUpdateMs, number, revoked } = content;
  const signed = der.sequence(
    der.integer(Buffer.of(1)),
    ECDSA_WITH_SHA256,
    nameOf(issuer),
    der.time(thisUpdateMs),
    der.time(nextUpdateMs),
    // Absent where it would be empty.
    ...(revoked.length === 0 ? [] : [der.sequence(...revoked.map(entry))]),
    der.explicit(0, der.sequence(authorityKeyId(issuerKey.public), extension('2.5.29.20', integerOf(number)))),
  );
  const signature = sign('sha256', signed, issuerKey.private);
  return pem('X509 CRL', der.sequence(signed, ECDSA_WITH_SHA256, der.bitString(signature)));
}

const entry = ({ serial, revokedMs }: RevokedSerial): Buffer =>
  der.sequence(der.integer(Buffer.from(serial, 'hex')), der.time(revokedMs));

function integerOf(value: number): Buffer {
  const digits = value.toString(16);
  return der.integer(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'));
}
