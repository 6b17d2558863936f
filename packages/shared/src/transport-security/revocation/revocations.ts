import { type X509Certificate } from 'node:crypto';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { DAY_MS, RENEW_WITHIN_DAYS } from '../expiry.js';
import { parseRevocationList, type RevocationList } from './revocation-list.js';

/** What the lists of a file say of certificates. */
export interface Revocations {
  readonly path: string;
  /** The lists one by one: Node reads no more than the first of a file. */
  readonly pems: readonly string[];
  /** When the first of the lists ends. */
  readonly validToMs: number;
  /** When a certificate was revoked, which is before now; undefined where it was not. */
  revokedMs(certificate: X509Certificate): number | undefined;
  /** What to say about the end of the lists; nothing while it is far away. */
  warning(nowMs: number): string | undefined;
}

interface AuthorityList extends RevocationList {
  readonly pem: string;
  readonly authority: X509Certificate;
}

/**
 * What a file of `--tls-crl` says: a list of each authority, in PEM, one after the other. TLS asks for a list of every
 * authority between a certificate and the one that is trusted, so one must be there for each that is known.
 *
 * @param authorities that are trusted, and those between them and the own certificate
 * @throws ExpertmeshError `failed_precondition` for a file that has no list, lists that are over, and an authority
 * without one.
 */
export function readRevocations(
  path: string,
  text: string,
  authorities: readonly X509Certificate[],
  nowMs: number,
): Revocations {
  const pems = revocationListPems(text);
  if (pems.length === 0) throw wrong(path, `it has no revocation list in PEM: ${REMEDY}`);
  const lists = pems.flatMap((pem) => listOf(path, pem, authorities) ?? []);
  for (const list of lists) requireInForce(path, list, nowMs);
  const missing = authorities.find((authority) => !lists.some((list) => list.authority === authority));
  if (missing !== undefined)
    throw wrong(
      path,
      `it has no list that the authority ${JSON.stringify(missing.subject)} has signed: add that; ${REMEDY}`,
    );
  const validToMs = Math.min(...lists.map(({ nextUpdateMs }) => nextUpdateMs));
  return {
    path,
    pems: lists.map(({ pem }) => pem),
    validToMs,
    revokedMs: (certificate) =>
      lists.find(({ authority }) => certificate.checkIssued(authority))?.revokedMs.get(certificate.serialNumber),
    warning: (nowMs) => endWarning(path, lists, nowMs),
  };
}

const REMEDY = '"expertmesh certs revoke" writes ca.crl beside ca.key, and other authorities have lists of their own';

/** Those of a file, as it has them. */
export function revocationListPems(text: string): string[] {
  return text.match(/-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g) ?? [];
}

/** @throws ExpertmeshError as parseRevocationList. */
export function revocationListOf(pem: string): RevocationList {
  return parseRevocationList(Buffer.from(pem.replace(/-----[^-]*-----/g, ''), 'base64'));
}

/** Undefined for one of an authority that is not trusted here, as a former one is: nothing is asked of it. */
function listOf(path: string, pem: string, authorities: readonly X509Certificate[]): AuthorityList | undefined {
  try {
    const list = revocationListOf(pem);
    const authority = authorities.find(({ publicKey }) => list.isSignedBy(publicKey));
    return authority && { ...list, authority, pem };
  } catch (cause) {
    throw wrong(path, ExpertmeshError.from(cause).message, cause);
  }
}

function requireInForce(path: string, { authority, thisUpdateMs, nextUpdateMs }: AuthorityList, nowMs: number): void {
  const whose = `the list of ${JSON.stringify(authority.subject)}`;
  if (nextUpdateMs <= nowMs)
    throw wrong(path, `${whose} ended on ${dateText(nextUpdateMs)}: put the newest one there; ${REMEDY}`);
  if (thisUpdateMs > nowMs)
    throw wrong(
      path,
      `${whose} is of ${dateText(thisUpdateMs)}, which is to come: is the clock of this machine right?`,
    );
}

/** Lists are renewed more often than certificates: the last quarter of their time is near the end. */
function endWarning(path: string, lists: readonly AuthorityList[], nowMs: number): string | undefined {
  for (const { thisUpdateMs, nextUpdateMs } of lists) {
    const nearMs = Math.min(RENEW_WITHIN_DAYS * DAY_MS, (nextUpdateMs - thisUpdateMs) / 4);
    if (nextUpdateMs <= nowMs)
      return (
        `${path} ended on ${dateText(nextUpdateMs)}: no new connection can be made until the newest revocation list ` +
        'is there'
      );
    if (nextUpdateMs - nowMs <= nearMs)
      return `${path} ends on ${dateText(nextUpdateMs)}: without a newer list no connection can be made then`;
  }
  return undefined;
}

const dateText = (atMs: number): string => new Date(atMs).toISOString();

const wrong = (path: string, reason: string, cause?: unknown): ExpertmeshError =>
  new ExpertmeshError('failed_precondition', `${path}: ${reason}`, { cause });
