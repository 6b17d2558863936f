import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  clusterOfAuthority,
  createAuthority,
  issueCertificate,
  type KeyedCertificate,
} from '@expertmesh/shared/transport-security/authority/certificate-authority';
import { DAY_MS } from '@expertmesh/shared/transport-security/expiry';
import { identityOf, type Role } from '@expertmesh/shared/transport-security/mesh-identity';
import { subjectNames } from '@expertmesh/shared/transport-security/subject-names';
import { type IssuedCertificate, issuedOf, IssuedRecord } from './issued-record.js';
import { type Joined } from './join.js';
import { replaceFile } from './replace-file.js';
import { RevocationFile } from './revocation-file.js';

/** One certificate of a directory, as commands show it. */
export interface StoredCertificate {
  readonly name: string;
  readonly role: Role | 'authority';
  readonly cluster: string;
  readonly hosts: readonly string[];
  readonly validTo: string;
  readonly certFile: string;
  readonly keyFile: string;
}

const AUTHORITY = 'ca';

/** What a command has revoked: a certificate that is known, or a serial number alone. */
export type Revoked = Pick<IssuedCertificate, 'serial'> & Partial<IssuedCertificate>;

/**
 * The authority of a cluster and what it issued: `ca.crt`, `ca.key`, and `<name>.crt` and `<name>.key` of each;
 * `ca.crl` has what is revoked, and `issued.jsonl` what could be.
 */
export class CertificateDirectory {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @throws ExpertmeshError `failed_precondition` where there is an authority, unless `overwrites`. */
  init(cluster: string, numDays: number, overwrites: boolean): StoredCertificate {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    if (!overwrites) this.#requireNone(AUTHORITY, 'certificates of it would not be trusted any more');
    const authority = createAuthority(cluster, numDays, Date.now());
    this.#write(AUTHORITY, authority);
    this.#revocations(authority).add([], Date.now());
    this.#record.clear();
    return this.#stored(AUTHORITY);
  }

  /** @throws ExpertmeshError `failed_precondition` where there is one of this name, unless `overwrites`. */
  issue(role: Role, name: string, hosts: readonly string[], numDays: number, overwrites: boolean): StoredCertificate {
    requireName(name);
    const { authority } = this;
    if (!overwrites) this.#requireNone(name, 'whoever uses it would have to be given the new one');
    const cluster = clusterOfAuthority(new X509Certificate(authority.cert));
    const issued = issueCertificate(authority, { role, cluster, name, hosts, numDays }, Date.now());
    this.record(name, issued.cert);
    this.#write(name, issued);
    return this.#stored(name);
  }

  /** Remembers a certificate that the authority has issued, so that it can be revoked by its name. */
  record(name: string, cert: string): void {
    this.#record.add(name, cert, Date.now());
  }

  /**
   * Writes `ca.crl` with these in it.
   *
   * @param subjects names, which mean all certificates of the name that have not ended, or serial numbers
   * @returns what was revoked, and the file
   * @throws ExpertmeshError `not_found` for a name that nothing is known of; then nothing is revoked.
   */
  revoke(subjects: readonly string[]): { readonly revoked: readonly Revoked[]; readonly crlFile: string } {
    const file = this.#revocations(this.authority);
    const known = this.#revocable();
    const revoked = subjects.flatMap((subject) => revocablesOf(subject, known));
    file.add(
      revoked.map(({ serial }) => serial),
      Date.now(),
    );
    return { revoked, crlFile: file.path };
  }

  /** Also what was issued before there was a record, but nothing of an authority before this one. */
  #revocable(): IssuedCertificate[] {
    const recorded = this.#record.list(Date.now());
    const own = new X509Certificate(this.authority.cert);
    const stored = this.#issued().flatMap(({ name, certFile }) => {
      const cert = readFileSync(certFile, 'utf8');
      return new X509Certificate(cert).checkIssued(own) ? [issuedOf(name, cert)] : [];
    });
    return [...recorded, ...stored.filter(({ serial }) => !recorded.some((other) => other.serial === serial))];
  }

  get #record(): IssuedRecord {
    return new IssuedRecord(join(this.#dir, 'issued.jsonl'));
  }

  #revocations(authority: KeyedCertificate): RevocationFile {
    return new RevocationFile(join(this.#dir, `${AUTHORITY}.crl`), authority);
  }

  /** Issues anew, with new keys, what ends within this time. */
  rotate(withinDays: number, numDays: number): StoredCertificate[] {
    const beforeMs = Date.now() + withinDays * DAY_MS;
    const due = this.#issued().filter(({ validTo }) => Date.parse(validTo) < beforeMs);
    return due.map(({ role, name, hosts }) => this.issue(role, name, hosts, numDays, true));
  }

  #issued() {
    const names = readdirSync(this.#dir).flatMap((file) => (file.endsWith('.crt') ? [basename(file, '.crt')] : []));
    const all = names.map((name) => this.#stored(name));
    return all.flatMap((stored) => (stored.role === 'authority' ? [] : [{ ...stored, role: stored.role }]));
  }

  /** Keeps what a box has fetched. @throws ExpertmeshError `failed_precondition` where there is some, likewise. */
  accept({ name, cert, key, ca }: Joined, overwrites: boolean): StoredCertificate {
    requireName(name);
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    const [caFile] = this.#files(AUTHORITY);
    const isOther = existsSync(caFile) && readFileSync(caFile, 'utf8') !== ca;
    if (!overwrites && isOther) this.#requireNone(AUTHORITY, 'it is of another authority');
    if (!overwrites) this.#requireNone(name, 'it would be lost');
    replaceFile(caFile, ca, 0o644);
    this.#write(name, { cert, key });
    return this.#stored(name);
  }

  /** @throws ExpertmeshError `not_found` where there is none. */
  get authority(): KeyedCertificate {
    const [certFile, keyFile] = this.#files(AUTHORITY);
    if (!existsSync(certFile) || !existsSync(keyFile))
      throw new ExpertmeshError(
        'not_found',
        `there is no authority in ${this.#dir} (ca.crt and ca.key): "expertmesh certs init" makes one, --dir names ` +
          'another',
      );
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  }

  #requireNone(name: string, consequence: string): void {
    const existing = this.#files(name).find((file) => existsSync(file));
    if (existing === undefined) return;
    throw new ExpertmeshError('failed_precondition', `${existing} exists, and ${consequence}: --force overwrites it`);
  }

  /** The key first: who sees the new certificate has its key as well. */
  #write(name: string, { cert, key }: KeyedCertificate): void {
    const [certFile, keyFile] = this.#files(name);
    replaceFile(keyFile, key, 0o600);
    replaceFile(certFile, cert, 0o644);
  }

  #stored(name: string): StoredCertificate {
    const [certFile, keyFile] = this.#files(name);
    const certificate = new X509Certificate(readFileSync(certFile));
    const identity =
      name === AUTHORITY
        ? ({ role: 'authority', cluster: clusterOfAuthority(certificate) } as const)
        : identityOf(certificate);
    const names = subjectNames(certificate.subjectAltName);
    const hosts = names.flatMap(({ type, value }) => (type === 'URI' ? [] : [value]));
    return { name, ...identity, hosts, validTo: new Date(certificate.validTo).toISOString(), certFile, keyFile };
  }

  #files(name: string): readonly [cert: string, key: string] {
    return [join(this.#dir, `${name}.crt`), join(this.#dir, `${name}.key`)];
  }
}

function requireName(name: string): void {
  if (name === AUTHORITY) throw new ExpertmeshError('invalid_argument', '--name ca is the authority: choose another');
}

const SERIAL = /^[0-9A-F]{2,40}$/;

function revocablesOf(subject: string, known: readonly IssuedCertificate[]): Revoked[] {
  const named = known.filter(({ name }) => name === subject);
  if (named.length > 0) return named;
  const serial = subject.replaceAll(':', '').toUpperCase();
  if (SERIAL.test(serial) && serial.length % 2 === 0)
    return [known.find((issued) => issued.serial === serial) ?? { serial }];
  const names = [...new Set(known.map(({ name }) => name))].sort().join(', ');
  throw new ExpertmeshError(
    'not_found',
    `there is no certificate of the name ${subject}, and it is no serial number: ` +
      (names === '' ? 'none was issued here' : `those of ${names} were issued here`),
  );
}
