import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { createAuthority, signRevocationList } from '../authority/certificate-authority.js';
import { readCredentials } from '../credentials.js';
import { DAY_MS } from '../expiry.js';
import { parseRevocationList } from './revocation-list.js';
import { readRevocations, revocationListOf } from './revocations.js';

const NOW_MS = Date.now();
const openssl = (...args: readonly string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const certificateAt = (file: string): X509Certificate => new X509Certificate(readFileSync(file));

describe('a revocation list', () => {
  it('that is written here is read and believed by OpenSSL, and has what was revoked', () => {
    const mesh = new MeshCertificates();
    const [good, bad] = [mesh.issue('worker', 'good').cert, mesh.issue('worker', 'bad').cert];
    mesh.revoke(bad);
    expect(openssl('crl', '-in', mesh.crl, '-CAfile', mesh.ca, '-noout', '-text')).toMatch(
      /Authority Key Identifier[^]*CRL Number[^]*Revoked Certificates/,
    );
    const verify = (file: string): string =>
      openssl('verify', '-CAfile', mesh.ca, '-CRLfile', mesh.crl, '-crl_check_all', file);
    expect(verify(good)).toContain(': OK');
    expect(() => verify(bad)).toThrow(/certificate revoked/);
  });

  it('says when each was revoked, and nothing of others; it holds until its authority ends', () => {
    const authority = createAuthority('lab', 40 * 365, NOW_MS);
    const revoked = [
      { serial: '7F01', revokedMs: 1_000 * 1_700_000_000 },
      { serial: '80AB00', revokedMs: Date.UTC(2051, 0, 2) },
    ];
    const list = revocationListOf(signRevocationList(authority, revoked, NOW_MS));
    expect([...list.revokedMs]).toEqual(revoked.map(({ serial, revokedMs }) => [serial, revokedMs]));
    expect(list.nextUpdateMs).toBe(Date.parse(new X509Certificate(authority.cert).validTo));
    expect(list.isSignedBy(new X509Certificate(authority.cert).publicKey)).toBe(true);
    expect(list.isSignedBy(new X509Certificate(createAuthority('lab', 1, NOW_MS).cert).publicKey)).toBe(false);
    expect([...revocationListOf(signRevocationList(authority, [], NOW_MS)).revokedMs]).toEqual([]);
  });

  it('of OpenSSL, signed with RSA, is read as OpenSSL means it', () => {
    const dir = tempDir();
    const at = (name: string): string => join(dir, name);
    mkdirSync(at('new'));
    for (const name of ['index.txt', 'index.txt.attr']) writeFileSync(at(name), '');
    writeFileSync(at('serial'), '00C0FFEE\n');
    writeFileSync(at('crlnumber'), '01\n');
    writeFileSync(
      at('ca.conf'),
      `[ca]\ndefault_ca=own\n[own]\ndatabase=${at('index.txt')}\nnew_certs_dir=${at('new')}\nserial=${at('serial')}\n` +
        `crlnumber=${at('crlnumber')}\ncertificate=${at('ca.crt')}\nprivate_key=${at('ca.key')}\ndefault_md=sha384\n` +
        'default_days=9\ndefault_crl_days=7\npolicy=any\ncrl_extensions=more\n[any]\ncommonName=supplied\n' +
        '[more]\nauthorityKeyIdentifier=keyid:always\n',
    );
    const key = (name: string): string[] => ['-newkey', 'rsa:2048', '-nodes', '-keyout', at(`${name}.key`)];
    openssl('req', '-x509', ...key('ca'), '-subj', '/CN=other authority', '-days', '30', '-out', at('ca.crt'));
    openssl('req', '-new', ...key('box'), '-subj', '/CN=box', '-out', at('box.csr'));
    openssl('ca', '-batch', '-config', at('ca.conf'), '-in', at('box.csr'), '-out', at('box.crt'));
    openssl('ca', '-config', at('ca.conf'), '-revoke', at('box.crt'), '-crl_reason', 'keyCompromise');
    openssl('ca', '-config', at('ca.conf'), '-gencrl', '-out', at('ca.crl'));
    const text = readFileSync(at('ca.crl'), 'utf8');
    const revocations = readRevocations(at('ca.crl'), text, [certificateAt(at('ca.crt'))], Date.now());
    const revokedMs = revocations.revokedMs(certificateAt(at('box.crt'))) ?? 0;
    expect(Math.abs(revokedMs - NOW_MS)).toBeLessThan(60_000);
    expect(revocations.revokedMs(certificateAt(at('ca.crt')))).toBeUndefined();
    expect(Math.abs(revocations.validToMs - NOW_MS - 7 * DAY_MS)).toBeLessThan(60_000);
    expect(revocations.warning(NOW_MS + 5 * DAY_MS)).toBeUndefined();
    expect(revocations.warning(NOW_MS + 6 * DAY_MS)).toMatch(/ca\.crl ends on .*no connection can be made then/);
    expect(revocations.warning(NOW_MS + 8 * DAY_MS)).toMatch(/ca\.crl ended on .*no new connection/);
  });

  it('that is cut or spoiled is refused, or read; nothing else comes of it', () => {
    const pem = signRevocationList(createAuthority('lab', 9, NOW_MS), [{ serial: '0102', revokedMs: 0 }], NOW_MS);
    const whole = Buffer.from(pem.replace(/-----[^-]*-----/g, ''), 'base64');
    const outcome = (bytes: Buffer): string => {
      try {
        parseRevocationList(bytes);
        return 'read';
      } catch (thrown) {
        return thrown instanceof ExpertmeshError ? 'refused' : String(thrown);
      }
    };
    for (let length = 0; length < whole.length; length++)
      expect(outcome(whole.subarray(0, length)), String(length)).toBe('refused');
    const outcomes = new Map<string, number>();
    for (let index = 0; index < whole.length; index++)
      for (const flip of [0x01, 0x20, 0x80, 0xff]) {
        const spoiled = Buffer.from(whole);
        spoiled[index] = (spoiled[index] ?? 0) ^ flip;
        const kind = outcome(spoiled);
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
      }
    expect([...outcomes.keys()].sort()).toEqual(['read', 'refused']);
  });
});

describe('readCredentials with --tls-crl', () => {
  const mesh = new MeshCertificates();
  const files = { ...mesh.issue('worker'), crl: mesh.crl };
  const refusal = (text: string): string => {
    writeFileSync(mesh.crl, text);
    try {
      readCredentials(files, NOW_MS);
      return 'none';
    } catch (thrown) {
      return ExpertmeshError.from(thrown).message;
    }
  };

  it('names the file, the date and what to do when a list is over', () => {
    mesh.writeList(Date.UTC(2024, 1, 3));
    expect(refusal(readFileSync(mesh.crl, 'utf8'))).toMatch(
      /ca\.crl: the list of "CN=Expertmesh default" ended on 2024-02-03T.*put the newest one there.*certs revoke/,
    );
  });

  it('refuses a file that is not there, or has no list, one that is cut, or one of another authority', () => {
    expect(() => readCredentials({ ...files, crl: '/none/ca.crl' }, NOW_MS)).toThrow(/\/none\/ca\.crl cannot be read/);
    expect(refusal('')).toMatch(/ca\.crl: it has no revocation list in PEM: "expertmesh certs revoke" writes/);
    mesh.revoke();
    const list = readFileSync(mesh.crl, 'utf8');
    expect(refusal(list.replace(/\n.{64}\n/, '\n'))).toMatch(/ca\.crl: it is no DER/);
    const other = signRevocationList(createAuthority('default', 9, NOW_MS), [], NOW_MS);
    expect(refusal(other)).toMatch(/ca\.crl: it has no list that the authority .* has signed: add that/);
    expect(refusal(list + other)).toBe('none');
    expect(refusal(list)).toBe('none');
  });

  it('asks for a list of each authority while two are trusted', () => {
    mesh.revoke();
    const list = readFileSync(mesh.crl, 'utf8');
    const next = createAuthority('default', 9, NOW_MS);
    writeFileSync(mesh.ca, readFileSync(mesh.ca, 'utf8') + next.cert);
    expect(refusal(list)).toMatch(
      /ca\.crl: it has no list that the authority "CN=Expertmesh default" has signed: add that/,
    );
    expect(refusal(list + signRevocationList(next, [], NOW_MS))).toBe('none');
  });
});
