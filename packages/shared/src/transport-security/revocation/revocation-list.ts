import { type KeyObject, verify } from 'node:crypto';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { DER_TAGS, derContent, derValues, type DerValue } from './der-reader.js';

/** A list of certificates that their authority has revoked, as RFC 5280 has it in section 5. */
export interface RevocationList {
  readonly thisUpdateMs: number;
  /** From then on it says nothing any more; Infinity where it does not say so. */
  readonly nextUpdateMs: number;
  /** When each was revoked, by serial number: hexadecimal digits, upper case, as X509Certificate has it. */
  readonly revokedMs: ReadonlyMap<string, number>;
  /** Whether the key has signed it. */
  isSignedBy(key: KeyObject): boolean;
}

/**
 * @throws ExpertmeshError `invalid_argument` for what is no list, `unimplemented` for one that is not of all
 * certificates of its authority, or signed in a way that is not known here.
 */
export function parseRevocationList(bytes: Buffer): RevocationList {
  const [list, ...rest] = derValues(bytes);
  if (rest.length > 0) throw new ExpertmeshError('invalid_argument', 'something follows the list');
  const [signed, algorithm, signature] = derValues(derContent(list, DER_TAGS.sequence));
  const fields = derValues(derContent(signed, DER_TAGS.sequence));
  // Version, and then: algorithm, issuer, this update.
  const [, , thisUpdate, ...others] = fields[0]?.tag === DER_TAGS.integer ? fields.slice(1) : fields;
  const nextUpdate = isTime(others[0]) ? others[0] : undefined;
  const remaining = nextUpdate === undefined ? others : others.slice(1);
  for (const { tag, content } of remaining) if (tag === DER_TAGS.context0) refuseCritical(content);
  const digest = digestOf(algorithm);
  const signatureBytes = derContent(signature, DER_TAGS.bitString).subarray(1);
  return {
    thisUpdateMs: timeMs(thisUpdate),
    nextUpdateMs: nextUpdate === undefined ? Infinity : timeMs(nextUpdate),
    revokedMs: entriesOf(remaining.find(({ tag }) => tag === DER_TAGS.sequence)),
    isSignedBy: (key) => signed !== undefined && isSigned(digest, signed.whole, key, signatureBytes),
  };
}

function entriesOf(entries: DerValue | undefined): Map<string, number> {
  const revoked = entries === undefined ? [] : derValues(entries.content);
  return new Map(
    revoked.map((entry) => {
      const [serial, revokedAt] = derValues(derContent(entry, DER_TAGS.sequence));
      return [serialText(derContent(serial, DER_TAGS.integer)), timeMs(revokedAt)];
    }),
  );
}

/** As X509Certificate writes it: whole bytes, without those that are zero in front. */
const serialText = (bytes: Buffer): string =>
  bytes
    .toString('hex')
    .toUpperCase()
    .replace(/^(00)+(?=..)/, '');

/** Such a list is of some certificates only, or says what must be understood before it is believed. */
function refuseCritical(extensions: Buffer): void {
  const [list] = derValues(extensions);
  for (const extension of derValues(derContent(list, DER_TAGS.sequence))) {
    const [oid, second] = derValues(derContent(extension, DER_TAGS.sequence));
    if (second?.tag === DER_TAGS.octetString) continue;
    throw new ExpertmeshError(
      'unimplemented',
      `the list has the critical extension ${oid?.content.toString('hex') ?? ''}, as delta lists and partial ones ` +
        'have: give the whole list of the authority',
    );
  }
}

/** By the algorithm's object identifier in hexadecimal digits; null for one that has a digest of its own. */
const DIGESTS: ReadonlyMap<string, string | null> = new Map([
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2b6570', null],
]);

function digestOf(algorithm: DerValue | undefined): string | null {
  const [oid] = derValues(derContent(algorithm, DER_TAGS.sequence));
  const name = derContent(oid, DER_TAGS.oid).toString('hex');
  const digest = DIGESTS.get(name);
  if (digest !== undefined) return digest;
  throw new ExpertmeshError(
    'unimplemented',
    `the list is signed with algorithm ${name}: ECDSA and RSA with SHA-2, and Ed25519, are known here`,
  );
}

function isSigned(digest: string | null, bytes: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(digest, bytes, key, signature);
  } catch {
    // A key of another kind.
    return false;
  }
}

const isTime = (value: DerValue | undefined): boolean =>
  value?.tag === DER_TAGS.utcTime || value?.tag === DER_TAGS.generalizedTime;

/** UTC in whole seconds; of the two digits of a year, 50 and more are of the last century (RFC 5280, 4.1.2.5.1). */
function timeMs(value: DerValue | undefined): number {
  const text = value?.content.toString('latin1') ?? '';
  const digits = value?.tag === DER_TAGS.utcTime ? `${text < '5' ? '20' : '19'}${text}` : text;
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(isTime(value) ? digits : '') ?? [];
  const [year = NaN, month = NaN, day, hour, minute, second] = parts.map(Number);
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  if (Number.isNaN(ms)) throw new ExpertmeshError('invalid_argument', `${JSON.stringify(text)} is no time of a list`);
  return ms;
}
