import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createAuthority,
  issueCertificate,
  type KeyedCertificate,
} from '@expertmesh/shared/transport-security/authority/certificate-authority';
import { type TlsFiles } from '@expertmesh/shared/transport-security/credentials';
import { DAY_MS } from '@expertmesh/shared/transport-security/expiry';
import { type MeshIdentity, type Role } from '@expertmesh/shared/transport-security/mesh-identity';
import { tempDir } from './temp-dir.js';

/** An authority in a directory of its own, and certificates of it. */
export class MeshCertificates {
  readonly dir = tempDir();
  readonly ca = join(this.dir, 'ca.crt');
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
  flags(role: Role): string[] {
    const { ca, cert, key } = this.issue(role);
    return ['--tls-ca', ca, '--tls-cert', cert, '--tls-key', key];
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
