import { afterEach, describe, expect, it } from 'vitest';
import { createHealth } from '@expertmesh/shared/rpc/health';
import { startServer } from '@expertmesh/shared/rpc/server';
import { type TlsFiles } from '@expertmesh/shared/transport-security/credentials';
import { DAY_MS } from '@expertmesh/shared/transport-security/expiry';
import { TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { certificateCheck, meshPortCheck } from './certificate-checks.js';

const mesh = new MeshCertificates();
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const configOf = ({ ca, cert, key, crl }: TlsFiles) => ({ tlsCa: ca, tlsCert: cert, tlsKey: key, tlsCrl: crl });

describe('certificateCheck', () => {
  const at = (files: TlsFiles, nowMs: number): string =>
    certificateCheck(configOf(files), nowMs)
      .map(({ status, detail }) => `${status}: ${detail}`)
      .join();

  it('says nothing where there are no certificates', () => {
    const none = { tlsCa: undefined, tlsCert: undefined, tlsKey: undefined, tlsCrl: undefined };
    expect(certificateCheck(none, 0)).toEqual([]);
  });

  it('names the role, an end that is near, one that is past, and a beginning that is not yet', () => {
    const files = mesh.issue('worker');
    const nowMs = Date.now();
    expect(at(files, nowMs)).toMatch(/^ok: .*worker\.crt is of role worker in cluster default$/);
    expect(at(files, nowMs + 80 * DAY_MS)).toMatch(/^note: .*; the certificate ends in \d days/);
    expect(at(files, nowMs + 91 * DAY_MS)).toMatch(/^broken: .*worker\.crt: it ended on .*certs rotate/);
    expect(at(files, nowMs - 10 * DAY_MS)).toMatch(
      /^broken: .*not valid before .*: is the clock of this machine right/,
    );
  });

  it('names a key of another certificate', () => {
    const mixed = { ...mesh.issue('worker'), key: mesh.issue('admin').key };
    expect(at(mixed, Date.now())).toMatch(/^broken: .*admin\.key: it is not the key of the certificate/);
  });
});

describe('meshPortCheck', () => {
  const securityOf = (files: TlsFiles): TransportSecurity => {
    const security = new TransportSecurity(files, undefined);
    cleanUps.push(() => {
      security.close();
    });
    return security;
  };
  const listen = async (files: TlsFiles): Promise<number> => {
    const services = [createHealth().service];
    const security = securityOf(files);
    const server = await startServer({ host: '127.0.0.1', port: 0, portFlag: '--control-port', services, security });
    cleanUps.push(() => server.close(0));
    return server.port;
  };

  it('finds who listens, of another role than should, or nobody', async () => {
    const admin = securityOf(mesh.issue('admin'));
    const port = await listen(mesh.issue('worker'));
    expect((await meshPortCheck(port, 'worker', admin)).status).toBe('ok');
    expect(await meshPortCheck(port, 'coordinator', admin)).toMatchObject({
      status: 'broken',
      detail: expect.stringContaining('shows a certificate of role worker, and a coordinator is asked for') as string,
    });
    expect((await meshPortCheck(1, 'worker', admin)).status).toBe('note');
  });

  it('says that a port of another authority does not do', async () => {
    const port = await listen(new MeshCertificates().issue('worker'));
    expect((await meshPortCheck(port, 'worker', securityOf(mesh.issue('admin')))).status).toBe('broken');
  });
});
