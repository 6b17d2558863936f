import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCredentials } from '@expertmesh/shared/transport-security/credentials';
import { revocationListOf, revocationListPems } from '@expertmesh/shared/transport-security/revocation/revocations';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { CertificateDirectory } from './certificate-directory.js';

function directory() {
  const dir = join(tempDir(), 'certs');
  return { dir, certificates: new CertificateDirectory(dir) };
}

describe('CertificateDirectory', () => {
  it('issues what a process takes, with keys that nobody else reads', () => {
    const { dir, certificates } = directory();
    const authority = certificates.init('lab', 3650, false);
    const issued = certificates.issue('worker', 'box-1', ['box-1.lan', '10.0.0.7'], 90, false);
    expect(issued).toMatchObject({ role: 'worker', cluster: 'lab', hosts: ['box-1.lan', '10.0.0.7'] });
    const files = { ca: authority.certFile, cert: issued.certFile, key: issued.keyFile };
    expect(readCredentials(files, Date.now()).identity).toEqual({ cluster: 'lab', role: 'worker' });
    for (const file of [authority.keyFile, issued.keyFile]) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
  });

  it('overwrites neither an authority nor a certificate unless told to', () => {
    const { certificates } = directory();
    const { certFile } = certificates.init('lab', 3650, false);
    const before = readFileSync(certFile, 'utf8');
    expect(() => certificates.init('lab', 3650, false)).toThrow(/ca\.crt exists.*--force/);
    certificates.issue('admin', 'admin', [], 90, false);
    expect(() => certificates.issue('worker', 'admin', [], 90, false)).toThrow(/admin\.crt exists.*--force/);
    expect(readFileSync(certFile, 'utf8')).toBe(before);
    certificates.init('lab', 3650, true);
    expect(readFileSync(certFile, 'utf8')).not.toBe(before);
  });

  it('says how to begin where there is no authority', () => {
    expect(() => directory().certificates.issue('worker', 'box', [], 90, false)).toThrow(/"expertmesh certs init"/);
  });

  it('keeps what a box has fetched, and the authority of no other cluster with it', () => {
    const [there, here] = [directory(), directory()];
    there.certificates.init('lab', 3650, false);
    const issued = there.certificates.issue('worker', 'box-1', [], 90, false);
    const [cert, key, ca] = [issued.certFile, issued.keyFile, join(there.dir, 'ca.crt')].map((f) =>
      readFileSync(f, 'utf8'),
    );
    const joined = { name: 'box-1', cert: cert ?? '', key: key ?? '', ca: ca ?? '' };
    expect(here.certificates.accept(joined, false)).toMatchObject({
      role: 'worker',
      certFile: join(here.dir, 'box-1.crt'),
    });
    expect(() => here.certificates.accept(joined, false)).toThrow(/box-1\.crt exists.*--force/);
    expect(() => here.certificates.accept({ ...joined, name: 'ca' }, true)).toThrow(/--name ca is the authority/);
    const other = directory();
    other.certificates.init('other', 3650, false);
    expect(() => other.certificates.accept(joined, false)).toThrow(/ca\.crt exists, and it is of another authority/);
  });

  it('rotates what ends soon, under new keys and with the same names, and leaves the rest', () => {
    const { certificates } = directory();
    const { certFile: authorityFile } = certificates.init('lab', 3650, false);
    const short = certificates.issue('worker', 'box-1', ['box-1.lan', 'fd00::1'], 20, false);
    const long = certificates.issue('coordinator', 'box-0', [], 90, false);
    const [keyBefore, longBefore] = [short.keyFile, long.certFile].map((file) => readFileSync(file, 'utf8'));

    const [rotated, ...others] = certificates.rotate(30, 90);
    expect(others).toEqual([]);
    expect(rotated).toMatchObject({ name: 'box-1', role: 'worker', cluster: 'lab' });
    expect(Date.parse(rotated?.validTo ?? '')).toBeGreaterThan(Date.parse(short.validTo));
    const certificate = new X509Certificate(readFileSync(short.certFile));
    expect(certificate.checkIP('fd00::1')).toBe('fd00::1');
    expect(certificate.verify(new X509Certificate(readFileSync(authorityFile)).publicKey)).toBe(true);
    expect(readFileSync(short.keyFile, 'utf8')).not.toBe(keyBefore);
    expect(readFileSync(long.certFile, 'utf8')).toBe(longBefore);
    expect(certificates.rotate(30, 90)).toEqual([]);
  });

  it('revokes all certificates of a name, also those that were replaced or fetched, and keeps what was revoked', () => {
    const { dir, certificates } = directory();
    const { certFile: ca } = certificates.init('lab', 3650, false);
    const crl = join(dir, 'ca.crl');
    const serialOf = (file: string): string => new X509Certificate(readFileSync(file)).serialNumber;
    const box = certificates.issue('worker', 'box-1', [], 90, false);
    const before = serialOf(box.certFile);
    certificates.issue('worker', 'box-1', [], 90, true);
    const fetched = certificates.issue('worker', 'box-2', [], 90, false);
    const serials = [before, serialOf(box.certFile), serialOf(fetched.certFile)];
    rmSync(fetched.certFile);
    expect(certificates.revoke(['box-1'])).toMatchObject({
      revoked: serials.slice(0, 2).map((serial) => ({ serial, name: 'box-1' })),
      crlFile: crl,
    });
    const listed = (): string[] =>
      revocationListPems(readFileSync(crl, 'utf8')).flatMap((pem) => [...revocationListOf(pem).revokedMs.keys()]);
    expect(listed()).toEqual(serials.slice(0, 2));
    certificates.revoke(['box-2', 'box-1', 'ab:cd']);
    expect(listed()).toEqual([...serials, 'ABCD']);
    expect(() => certificates.revoke(['box-3'])).toThrow(
      /no certificate of the name box-3.*of box-1, box-2 were issued/,
    );
    expect(listed()).toHaveLength(4);
    const good = certificates.issue('coordinator', 'box-0', [], 90, false);
    const files = { ca, cert: good.certFile, key: good.keyFile, crl };
    const { revocations } = readCredentials(files, Date.now());
    expect(revocations?.revokedMs(new X509Certificate(readFileSync(box.certFile)))).toBeGreaterThan(0);
    expect(revocations?.revokedMs(new X509Certificate(readFileSync(good.certFile)))).toBeUndefined();
  });

  it('keeps the list of the authority before it, which is trusted until all have a certificate of the new one', () => {
    const { dir, certificates } = directory();
    const { certFile } = certificates.init('lab', 3650, false);
    certificates.issue('worker', 'box-1', [], 90, false);
    certificates.revoke(['box-1']);
    const before = readFileSync(certFile, 'utf8');
    certificates.init('lab', 3650, true);
    const { certFile: cert, keyFile: key } = certificates.issue('coordinator', 'box-0', [], 90, false);
    certificates.revoke(['0102']);
    expect(() => certificates.revoke(['box-1'])).toThrow(/those of box-0 were issued here/);
    const both = join(dir, 'both.crt');
    writeFileSync(both, before + readFileSync(certFile, 'utf8'));
    const { revocations } = readCredentials({ ca: both, cert, key, crl: join(dir, 'ca.crl') }, Date.now());
    expect(revocations?.pems).toHaveLength(2);
    const crl = join(dir, 'ca.crl');
    expect(readCredentials({ ca: certFile, cert, key, crl }, Date.now()).revocations?.pems).toHaveLength(1);
    expect(revocations?.revokedMs(new X509Certificate(readFileSync(join(dir, 'box-1.crt'))))).toBeGreaterThan(0);
  });
});
