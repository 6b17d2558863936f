import { createHash, type KeyObject, sign } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import { der } from './der.js';

/** What a certificate says; see RFC 5280. */
export interface CertificateContent {
  readonly serial: Buffer;
  readonly subject: string;
  readonly issuer: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: KeyObject;
  readonly issuerKey: { readonly public: KeyObject; readonly private: KeyObject };
  /** An authority signs others; everything else speaks TLS, as server and as client. */
  readonly isAuthority: boolean;
  readonly uris: readonly string[];
  /** Host names and IP addresses. */
  readonly hosts: readonly string[];
}

export const ECDSA_WITH_SHA256 = der.sequence(der.oid('1.2.840.10045.4.3.2'));
const KEY_CERT_SIGN_AND_CRL_SIGN = { bits: Buffer.of(0x06), numUnusedBits: 1 };
const DIGITAL_SIGNATURE = { bits: Buffer.of(0x80), numUnusedBits: 7 };

/** Writes and signs a certificate of version 3, with ECDSA keys; returns PEM. */
export function writeCertificate(content: CertificateContent): string {
  const { issuer, subject, notBeforeMs, notAfterMs, publicKey } = content;
  const signed = der.sequence(
    der.explicit(0, der.integer(Buffer.of(2))),
    der.integer(content.serial),
    ECDSA_WITH_SHA256,
    nameOf(issuer),
    der.sequence(der.time(notBeforeMs), der.time(notAfterMs)),
    nameOf(subject),
    spkiOf(publicKey),
    der.explicit(3, der.sequence(...extensions(content))),
  );
  const signature = sign('sha256', signed, content.issuerKey.private);
  return pem('CERTIFICATE', der.sequence(signed, ECDSA_WITH_SHA256, der.bitString(signature)));
}

/** @param label such as `CERTIFICATE` */
export function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/** A common name alone. */
export function nameOf(commonName: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid('2.5.4.3'), der.utf8(commonName))));
}

const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

function extensions({ isAuthority, publicKey, issuerKey, uris, hosts }: CertificateContent): Buffer[] {
  const usage = isAuthority ? KEY_CERT_SIGN_AND_CRL_SIGN : DIGITAL_SIGNATURE;
  const names = [...uris.map((uri) => der.implicit(6, Buffer.from(uri, 'ascii'))), ...hosts.map(hostName)];
  return [
    // An authority signs no other authority.
    critical('2.5.29.19', isAuthority ? der.sequence(der.boolean(true), der.integer(Buffer.of(0))) : der.sequence()),
    critical('2.5.29.15', der.bitString(usage.bits, usage.numUnusedBits)),
    extension('2.5.29.14', der.octetString(keyId(publicKey))),
    authorityKeyId(issuerKey.public),
    ...(isAuthority ? [] : [extension('2.5.29.37', der.sequence(SERVER_AUTH, CLIENT_AUTH))]),
    ...(names.length === 0 ? [] : [extension('2.5.29.17', der.sequence(...names))]),
  ];
}

const SERVER_AUTH = der.oid('1.3.6.1.5.5.7.3.1');
const CLIENT_AUTH = der.oid('1.3.6.1.5.5.7.3.2');

/** By which an issuer is told from another one of the same name. */
export function authorityKeyId(issuerKey: KeyObject): Buffer {
  return extension('2.5.29.35', der.sequence(der.implicit(0, keyId(issuerKey))));
}

export function extension(oid: string, value: Buffer): Buffer {
  return der.sequence(der.oid(oid), der.octetString(value));
}

const critical = (oid: string, value: Buffer): Buffer =>
  der.sequence(der.oid(oid), der.boolean(true), der.octetString(value));

/** Any short name of a key will do. */
const keyId = (key: KeyObject): Buffer => createHash('sha256').update(spkiOf(key)).digest().subarray(0, 20);

const hostName = (host: string): Buffer =>
  isIP(host) === 0 ? der.implicit(2, Buffer.from(host, 'ascii')) : der.implicit(7, addressBytes(host));

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  // The URL parser writes IPv6 in its one canonical form, with at most one "::".
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = [], tail = []] = canonical.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
