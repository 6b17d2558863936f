import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import {
  type KeyedCertificate,
  signRevocationList,
} from '@expertmesh/shared/transport-security/authority/certificate-authority';
import { type RevokedSerial } from '@expertmesh/shared/transport-security/authority/revocation-list';
import { revocationListOf, revocationListPems } from '@expertmesh/shared/transport-security/revocation/revocations';
import { replaceFile } from './replace-file.js';

/** `ca.crl`: the list of an authority, and those of the authorities before it, which processes may trust still. */
export class RevocationFile {
  readonly path: string;
  readonly #authority: KeyedCertificate;

  constructor(path: string, authority: KeyedCertificate) {
    this.path = path;
    this.#authority = authority;
  }

  /** Signs the list anew with these added to it; one that is in it stays as it is. */
  add(serials: readonly string[], nowMs: number): void {
    const { own, others } = this.#read();
    const known = new Set(own.map(({ serial }) => serial));
    const added = [...new Set(serials)].filter((serial) => !known.has(serial));
    const revoked = [...own, ...added.map((serial) => ({ serial, revokedMs: nowMs }))];
    replaceFile(this.path, [signRevocationList(this.#authority, revoked, nowMs), ...others].join(''), 0o644);
  }

  #read(): { readonly own: readonly RevokedSerial[]; readonly others: readonly string[] } {
    const { publicKey } = new X509Certificate(this.#authority.cert);
    const pems = existsSync(this.path) ? revocationListPems(readFileSync(this.path, 'utf8')) : [];
    const lists = pems.map((pem) => ({ pem, list: revocationListOf(pem) }));
    const own = lists.filter(({ list }) => list.isSignedBy(publicKey));
    return {
      own: own.flatMap(({ list }) => [...list.revokedMs].map(([serial, revokedMs]) => ({ serial, revokedMs }))),
      others: lists.filter((entry) => !own.includes(entry)).map(({ pem }) => `${pem}\n`),
    };
  }
}
