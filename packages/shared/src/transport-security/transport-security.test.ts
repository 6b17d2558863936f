import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { readCredentials } from './credentials.js';
import { DAY_MS, expiryWarning } from './expiry.js';
import { identityOf } from './mesh-identity.js';
import { openTransportSecurity } from './open-transport-security.js';
import { TransportSecurity } from './transport-security.js';

const mesh = new MeshCertificates('lab');

const open: TransportSecurity[] = [];
afterEach(() => {
  for (const security of open.splice(0)) security.close();
});

function watched(files = mesh.issue('worker')) {
  const lines: string[] = [];
  const info = (_: object, line: string) => lines.push(line);
  const log = { info, warn: info, error: (line: string) => lines.push(line) };
  const security = new TransportSecurity(files, log as unknown as ConstructorParameters<typeof TransportSecurity>[1]);
  open.push(security);
  return { security, files, lines };
}

describe('TransportSecurity', () => {
  it('reads the files again when they change', async () => {
    const { security, files, lines } = watched();
    const before = security.secureContext;
    mesh.issue('worker');
    await expect.poll(() => lines, { timeout: 10_000 }).toEqual(['certificates have been read again']);
    expect(security.secureContext).not.toBe(before);
    expect(security.credentials.context.cert).toBe(readFileSync(files.cert, 'utf8'));
  });

  it.each([
    [
      'a key that is not the certificate’s',
      (key: string) => {
        writeFileSync(key, readFileSync(mesh.issue('admin').key));
      },
      /it is not the key of the certificate/,
    ],
    [
      'no certificate',
      (_: string, cert: string) => {
        writeFileSync(cert, 'none');
      },
      /is not a certificate in PEM/,
    ],
    [
      'another role',
      (key: string, cert: string) => {
        const admin = mesh.issue('admin');
        writeFileSync(key, readFileSync(admin.key));
        writeFileSync(cert, readFileSync(admin.cert));
      },
      /of role admin in cluster lab, and this process is worker/,
    ],
  ])('keeps what it has where the files hold %s', async (_, spoil, reason) => {
    const { security, files, lines } = watched(mesh.issue('worker', 'spoiled'));
    const before = security.secureContext;
    spoil(files.key, files.cert);
    process.emit('SIGHUP', 'SIGHUP');
    await expect.poll(() => lines[0]).toMatch(reason);
    expect(security.secureContext).toBe(before);
  });
});

describe('openTransportSecurity', () => {
  const config = ({ ca: tlsCa, cert: tlsCert, key: tlsKey } = mesh.issue('worker')) => ({
    ...{ tlsCa, tlsCert, tlsKey },
    tlsCrl: undefined,
  });

  it('opens nothing where nothing is named', () => {
    const none = { tlsCa: undefined, tlsCert: undefined, tlsKey: undefined, tlsCrl: undefined };
    expect(openTransportSecurity(none, 'worker', 'lab', undefined)).toBeUndefined();
  });

  it('refuses a certificate of another role or cluster, and says how to make the right one', () => {
    expect(() => openTransportSecurity(config(), 'coordinator', 'lab', undefined)).toThrow(
      /of role worker in cluster lab, and this is a coordinator in cluster lab: "expertmesh certs issue coordinator"/,
    );
    expect(() => openTransportSecurity(config(), 'worker', 'other', undefined)).toThrow(
      /this is a worker in cluster other/,
    );
  });

  it('refuses one that is over, and files that are not there', () => {
    expect(() => openTransportSecurity(config(mesh.issueExpired('worker')), 'worker', 'lab', undefined)).toThrow(
      /it ended on .*certs rotate/,
    );
    expect(() => readCredentials({ ...mesh.issue('worker'), key: '/none' }, 0)).toThrow(/\/none cannot be read/);
  });
});

describe('identityOf', () => {
  const of = (subjectAltName: string) => identityOf({ subject: 'CN=x', subjectAltName });

  it('reads role and cluster', () => {
    expect(of('DNS:box-1, URI:expertmesh://lab/role/worker, IP Address:10.0.0.7')).toEqual({
      cluster: 'lab',
      role: 'worker',
    });
  });

  it.each([
    ['no name at all', ''],
    ['no URI', 'DNS:expertmesh://lab/role/worker'],
    ['a role that is none', 'URI:expertmesh://lab/role/root'],
    ['two roles', 'URI:expertmesh://lab/role/worker, URI:expertmesh://lab/role/admin'],
    ['a host name that looks like several names', 'DNS:"x, URI:expertmesh://lab/role/admin, DNS:y"'],
    ['what is no list of names', 'DNS:"x, URI:expertmesh://lab/role/admin'],
  ])('refuses %s', (_, subjectAltName) => {
    expect(() => of(subjectAltName)).toThrow(/it must name one, as a URI/);
  });
});

describe('expiryWarning', () => {
  it('warns 30 days before the end, and after it', () => {
    expect(expiryWarning(31 * DAY_MS, 0)).toBeUndefined();
    expect(expiryWarning(29.5 * DAY_MS, 0)).toMatch(/ends in 29 days, on 1970-01-30.*certs rotate/);
    expect(expiryWarning(0, 1)).toMatch(/ended on 1970-01-01.*no new connection/);
  });
});
