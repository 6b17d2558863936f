import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createAuthority,
  issueCertificate,
  type KeyedCertificate,
} from '@expertmesh/shared/transport-security/authority/certificate-authority';
import {
  type RevokedSerial,
  writeRevocationList,
} from '@expertmesh/shared/transport-security/authority/revocation-list';
import { type TlsFiles } from '@expertmesh/shared/transport-security/credentials';
import { DAY_MS } from '@expertmesh/shared/transport-security/expiry';
import { type MeshIdentity, type Role } from '@expertmesh/shared/transport-security/mesh-identity';
import { tempDir } from './temp-dir.js';

/** An authority in a directory of its own, as commands keep one, and certificates of it. */
export class MeshCertificates {
  readonly dir = tempDir();
  readonly ca = join(this.dir, 'ca.crt');
  /** Of `revoke`. */
  readonly crl = join(this.dir, 'ca.crl');
  readonly #revoked: RevokedSerial[] = [];
  readonly #cluster: string;
  #authority: KeyedCertificate;

  constructor(cluster = 'default') {
    this.#cluster = cluster;
    this.#authority = this.renewAuthority();
  }

  /** Another authority, trusted from now on by those who read the file again. */
  renewAuthority(): KeyedCertificate {
    this.#authority = createAuthority(this.#cluster, 3650, Date.now());
    writeFileSync(this.ca, this.#authority.cert);
    writeFileSync(join(this.dir, 'ca.key'), this.#authority.key, { mode: 0o600 });
    return this.#authority;
  }

  /** Writes `<name>.crt` and `<name>.key`, over those that are there. */
  issue(role: Role, name: string = role, { cluster = this.#cluster }: Partial<MeshIdentity> = {}): TlsFiles {
    return this.#write(name, { cluster, role }, Date.now());
  }

  /** A certificate that ended yesterday. */
  issueExpired(role: Role): TlsFiles {
    return this.#write(`${role}-expired`, { cluster: this.#cluster, role }, Date.now() - 91 * DAY_MS);
  }

  /** As a process takes them. */
  flags(role: Role, name: string = role): string[] {
    const { ca, cert, key } = this.issue(role, name);
    return ['--tls-ca', ca, '--tls-cert', cert, '--tls-key', key];
  }

  /** Writes the list of all that were revoked, with these; of none at first. */
  revoke(...certFiles: readonly string[]): void {
    const serials = certFiles.map((file) => new X509Certificate(readFileSync(file)).serialNumber);
    this.#revoked.push(...serials.map((serial) => ({ serial, revokedMs: Date.now() })));
    this.writeList(Date.now() + DAY_MS);
  }

  /** The same, until then; it began a day before now, or before then. */
  writeList(nextUpdateMs: number): void {
    const key = createPrivateKey(this.#authority.key);
    const list = writeRevocationList({
      issuer: `Expertmesh ${this.#cluster}`,
      issuerKey: { public: createPublicKey(key), private: key },
      thisUpdateMs: Math.min(Date.now(), nextUpdateMs) - DAY_MS,
      nextUpdateMs,
      number: Date.now(),
      revoked: this.#revoked,
    });
    writeFileSync(this.crl, list);
  }

  #write(name: string, identity: MeshIdentity, nowMs: number): TlsFiles {
    const hosts = ['127.0.0.1', 'localhost'];
    const { cert, key } = issueCertificate(this.#authority, { ...identity, name, hosts, numDays: 90 }, nowMs);
    const files = { ca: this.ca, cert: join(this.dir, `${name}.crt`), key: join(this.dir, `${name}.key`) };
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key);
    return files;
  }
}
