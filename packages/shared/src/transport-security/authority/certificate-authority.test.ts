import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { identityOf } from '../mesh-identity.js';
import { createAuthority, issueCertificate } from './certificate-authority.js';

const NOW_MS = Date.now();
const authority = createAuthority('lab', 3650, NOW_MS);
const request = { cluster: 'lab', role: 'worker', name: 'box-1', hosts: [], numDays: 90 } as const;

describe('issueCertificate', () => {
  it('makes certificates that OpenSSL verifies against the authority, for servers and clients alike', () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'ca.crt'), authority.cert);
    writeFileSync(join(dir, 'box.crt'), issueCertificate(authority, request, NOW_MS).cert);
    const files = ['-CAfile', join(dir, 'ca.crt'), join(dir, 'box.crt')];
    for (const purpose of ['sslserver', 'sslclient']) {
      const args = ['verify', '-x509_strict', '-purpose', purpose, ...files];
      expect(execFileSync('openssl', args, { encoding: 'utf8' })).toContain(': OK');
    }
  });

  it('names role and hosts, by name and address', () => {
    const hosts = ['box-1.lan', '10.0.0.7', 'fd00::1:7', '::1', 'fe80:1:2:3:4:5:6:7'];
    const certificate = new X509Certificate(issueCertificate(authority, { ...request, hosts }, NOW_MS).cert);
    expect(identityOf(certificate)).toEqual({ cluster: 'lab', role: 'worker' });
    expect(certificate.checkHost('box-1.lan')).toBe('box-1.lan');
    for (const address of hosts.slice(1)) expect(certificate.checkIP(address), address).toBe(address);
    expect(certificate.checkIP('10.0.0.8')).toBeUndefined();
  });

  it('gives each certificate a key and a serial number of its own, and no certificate outlives its authority', () => {
    const [first, second] = [1, 2].map(() => issueCertificate(authority, { ...request, numDays: 9999 }, NOW_MS));
    const [a, b] = [first, second].map((issued) => new X509Certificate(issued?.cert ?? ''));
    expect(first?.key).not.toBe(second?.key);
    expect(a?.serialNumber).not.toBe(b?.serialNumber);
    expect(a?.validTo).toBe(new X509Certificate(authority.cert).validTo);
  });

  it('writes years from 2050 on so that they are read', () => {
    const late = createAuthority('lab', 40 * 365, NOW_MS);
    expect(new Date(new X509Certificate(late.cert).validTo).getUTCFullYear()).toBeGreaterThan(2060);
  });

  it('does not sign with another key than the authority’s, nor after its end', () => {
    const mixed = { ...authority, key: createAuthority('lab', 1, NOW_MS).key };
    expect(() => issueCertificate(mixed, request, NOW_MS)).toThrow(/not the one of its certificate/);
    expect(() => issueCertificate(createAuthority('lab', 1, NOW_MS - 9e8), request, NOW_MS)).toThrow(/was valid until/);
  });
});
