import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NatsConnection } from '@expertmesh/shared/control-plane/nats-connection';
import { type Role } from '@expertmesh/shared/transport-security/mesh-identity';
import { TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { describeNats, NatsServerProcess } from '@expertmesh/test-kit/nats-server';
import { runCommand, type RanCommand } from '@expertmesh/test-kit/run-command';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { rawCall } from '@expertmesh/test-kit/raw-call';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { workerArgs } from '@expertmesh/test-kit/worker-fleet';
import { packDemoStore } from './demo-worker.js';

const REACHED_WITHIN_MS = 30_000;

afterAll(stopAll);

describe('a cluster with --tls-crl', () => {
  const mesh = new MeshCertificates();
  const { dir } = mesh;
  /** Where processes read the list; the authority writes it elsewhere. */
  const crl = join(tempDir(), 'distributed.crl');
  const filesOf = (name: string) => ({
    ca: mesh.ca,
    cert: join(dir, `${name}.crt`),
    key: join(dir, `${name}.key`),
  });
  const flagsOf = (name: string): string[] => {
    const { ca, cert, key } = filesOf(name);
    return ['--tls-ca', ca, '--tls-cert', cert, '--tls-key', key, '--tls-crl', crl];
  };
  const certs = async (...args: readonly string[]): Promise<string> => {
    const { code, output } = await runCommand('certs', ...args, '--dir', dir);
    expect(code, output).toBe(0);
    return output;
  };
  const distribute = (): void => {
    copyFileSync(join(dir, 'ca.crl'), crl);
  };

  let storeDir: string;
  let workers: ExpertmeshProcess[];
  let ports: { readonly data: number; readonly control: number }[];
  let coordinator: ExpertmeshProcess;
  let grpcAddress: string;
  let url: string;

  const complete = async (): Promise<number> => {
    const body = JSON.stringify({ model: 'demo', prompt: 'What is 47 + 85?', max_tokens: 8, temperature: 0 });
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`${url}/v1/completions`, { method: 'POST', headers, body })).status;
  };
  const listed = async (): Promise<string> => {
    const { code, output } = await runCommand('workers', 'list', '--coordinator', grpcAddress, ...flagsOf('admin'));
    expect(code, output).toBe(0);
    return output;
  };

  beforeAll(async () => {
    ({ dir: storeDir } = await packDemoStore());
    for (const [role, name] of [
      ['worker', 'box-1'],
      ['worker', 'box-2'],
      ['coordinator', 'box-0'],
      ['coordinator', 'stolen'],
      ['admin', 'admin'],
    ] as const)
      mesh.issue(role, name);
    mesh.revoke();
    distribute();
    workers = ['box-1', 'box-2'].map((name) =>
      ExpertmeshProcess.start(workerArgs(storeDir, [...flagsOf(name), '--failure-domain', name])),
    );
    const told = await Promise.all(workers.map((worker) => worker.listening('worker')));
    ports = told.map(({ dataPort: data, controlPort: control }) => ({ data, control }));
    coordinator = ExpertmeshProcess.start([
      ...[
        'coordinator',
        '--store',
        storeDir,
        '--survive',
        '1',
        '--port',
        '0',
        '--grpc-port',
        '0',
        '--host',
        '127.0.0.1',
      ],
      ...['--workers', ports.map(({ control }) => `127.0.0.1:${String(control)}`).join(',')],
      ...['--served-model-name', 'demo', '--kv-cache-bytes', '64MB', '--num-threads', '1', ...flagsOf('box-0')],
    ]);
    const { httpPort, grpcPort } = await coordinator.listening('coordinator');
    url = `http://127.0.0.1:${String(httpPort)}`;
    grpcAddress = `127.0.0.1:${String(grpcPort)}`;
    await coordinator.until(async () => (await fetch(`${url}/health/ready`)).ok, 'is ready');
  });

  it('refuses a caller that is revoked while it runs on every gRPC port, and goes on answering', async () => {
    const calls = [
      ...ports.flatMap(({ data, control }) => [
        [data, '/expertmesh.v1.ExpertService/Dispatch'] as const,
        [control, '/expertmesh.v1.WorkerService/GetStats'] as const,
      ]),
      [Number(grpcAddress.split(':')[1]), '/expertmesh.v1.AdminService/GetCluster'] as const,
    ];
    const outcomes = (name: string) =>
      Promise.all(calls.map(async ([port, path]) => (await rawCall(port, path, filesOf(name))).kind));
    expect(await outcomes('stolen')).not.toContain('no connection');
    expect(await certs('revoke', 'stolen')).toMatch(/stolen, serial [0-9A-F]{32}, is revoked[^]*ca\.crl has the list/);
    distribute();
    await expect
      .poll(() => outcomes('stolen'), { timeout: REACHED_WITHIN_MS, interval: 500 })
      .toEqual(calls.map(() => 'no connection'));
    expect(await outcomes('box-0')).not.toContain('no connection');
    expect(await complete()).toBe(200);
  });

  it('speaks no more with a worker that is revoked while it runs, says why, and loses no request', async () => {
    const over = new AbortController();
    const statuses: number[] = [];
    const load = (async () => {
      while (!over.signal.aborted) statuses.push(await complete());
    })();
    await certs('revoke', 'box-2');
    distribute();
    await expect.poll(listed, { timeout: REACHED_WITHIN_MS }).toMatch(/away[^\n]*certificate revoked \(--tls-crl/);
    over.abort();
    await load;
    expect(await complete()).toBe(200);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(coordinator.output).toMatch(/CN=box-2[\\"]+, serial [0-9A-F]+, was revoked on .*a connection is closed/);
    expect(await listed()).toMatch(new RegExp(`:${String(ports[0]?.control)} +up `));
    expect(workers[1]?.output).toMatch(/the own certificate [0-9A-F]+ was revoked on/);
  });

  it('takes the worker back with another certificate', async () => {
    mesh.issue('worker', 'box-2');
    await expect.poll(async () => (await listed()).match(/ up /g)?.length, { timeout: REACHED_WITHIN_MS }).toBe(2);
  });

  it('does not start where the list is missing, or over, and says what to do', async () => {
    const start = (file: string): Promise<RanCommand> =>
      runCommand(...workerArgs(storeDir, [...flagsOf('box-1').slice(0, -1), file]));
    const missing = await start(join(dir, 'none.crl'));
    expect([missing.code, missing.output]).toEqual([1, expect.stringMatching(/none\.crl cannot be read/)]);
    const other = new MeshCertificates();
    other.writeList(Date.UTC(2025, 0, 2));
    const { ca, cert, key } = other.issue('worker');
    const files = ['--tls-ca', ca, '--tls-cert', cert, '--tls-key', key, '--tls-crl', other.crl];
    const ended = await runCommand(...workerArgs(storeDir, files));
    expect([ended.code, ended.output]).toEqual([
      1,
      expect.stringMatching(/ca\.crl: the list of .* ended on 2025-01-02T.*put the newest one there/),
    ]);
    const unused = await runCommand(...workerArgs(storeDir, ['--tls-crl', crl]));
    expect([unused.code, unused.output]).toEqual([2, expect.stringMatching(/--tls-crl is of no use without --tls-ca/)]);
  });

  it('knows certificates that are to be revoked by name or serial number, and says so in JSON', async () => {
    const { revoked } = JSON.parse(await certs('revoke', 'box-1', '00:ab', '--json')) as { revoked: unknown[] };
    expect(revoked).toEqual([
      { name: 'box-1', serial: expect.any(String) as string, validTo: expect.any(String) as string },
      { serial: '00AB' },
    ]);
    const unknown = await runCommand('certs', 'revoke', 'box-9', '--dir', dir);
    expect([unknown.code, unknown.output]).toEqual([
      1,
      expect.stringMatching(/no certificate of the name box-9.*: those of admin, box-0, .* were issued here/),
    ]);
  });
});

describeNats('a NATS server whose certificate is revoked', () => {
  it('is left by who has the list', async () => {
    const mesh = new MeshCertificates();
    mesh.revoke();
    const tls = mesh.issue('nats');
    const server = await NatsServerProcess.start({ tls });
    const connect = async (role: Role): Promise<void> => {
      const security = new TransportSecurity({ ...mesh.issue(role), crl: mesh.crl }, undefined);
      try {
        await (await NatsConnection.open([server.url], 'test', security)).close();
      } finally {
        security.close();
      }
    };
    try {
      await connect('worker');
      mesh.revoke(tls.cert);
      expect(readFileSync(mesh.crl, 'utf8')).toContain('X509 CRL');
      await expect(connect('worker')).rejects.toThrow(/certificate revoked/);
    } finally {
      await server.stop();
    }
  });
});
