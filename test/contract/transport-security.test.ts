import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { runCommand } from '@expertmesh/test-kit/run-command';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { rawCall } from '@expertmesh/test-kit/raw-call';
import { workerArgs } from '@expertmesh/test-kit/worker-fleet';
import { METHOD_BYTES } from '@expertmesh/shared/rpc/request-limits/method-sizes';
import { METHOD_ROLES } from '@expertmesh/shared/transport-security/method-roles';
import { ROLES, type Role } from '@expertmesh/shared/transport-security/mesh-identity';
import { packDemoStore } from './demo-worker.js';

const PROTO_DIR = join(import.meta.dirname, '../../proto');
const PERMISSION_DENIED = 7;
const NUM_STREAMS = 4;
const NUM_ROTATIONS = 3;

const mesh = new MeshCertificates();
const stranger = new MeshCertificates();
const store = packDemoStore();

interface Ports {
  readonly http: number;
  readonly grpc: number;
  readonly data: number;
  readonly control: number;
}

/** A worker and a coordinator that speak TLS, once a token has gone through both. */
async function startCluster(): Promise<Ports & { readonly processes: readonly ExpertmeshProcess[] }> {
  const { dir } = await store;
  const worker = ExpertmeshProcess.start(workerArgs(dir, mesh.flags('worker')));
  const { dataPort: data, controlPort: control } = await worker.listening('worker');
  const http = mesh.issue('client', 'http');
  const coordinator = ExpertmeshProcess.start([
    ...['coordinator', '--store', dir, '--workers', `127.0.0.1:${String(control)}`, '--port', '0', '--grpc-port', '0'],
    ...['--served-model-name', 'demo', '--kv-cache-bytes', '64MB', '--num-threads', '1', '--reflection'],
    ...[...mesh.flags('coordinator'), '--http-tls-cert', http.cert, '--http-tls-key', http.key],
  ]);
  const { httpPort, grpcPort: grpc } = await coordinator.listening('coordinator');
  await coordinator.until(async () => (await get(httpPort, '/health/ready')).status === 200, 'is ready');
  return { http: httpPort, grpc, data, control, processes: [worker, coordinator] };
}

interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

function ask(port: number, method: string, path: string, body?: object): Promise<HttpAnswer> {
  // A connection each: what is kept open would not see a new certificate.
  const options = { port, host: '127.0.0.1', method, path, ca: readFileSync(mesh.ca), agent: new Agent() };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, headers: { 'content-type': 'application/json' } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: text });
      });
    });
    sent.on('error', reject).end(body && JSON.stringify(body));
  });
}

const get = (port: number, path: string): Promise<HttpAnswer> => ask(port, 'GET', path);

const complete = (port: number): Promise<HttpAnswer> =>
  ask(port, 'POST', '/v1/completions', { model: 'demo', prompt: 'What is 47 + 85?', max_tokens: 24, temperature: 0 });

/** Which certificate a port shows to who connects now. */
function shownSerial(port: number): Promise<string> {
  const { cert, key } = mesh.issue('coordinator', 'looking');
  const files = { cert: readFileSync(cert), key: readFileSync(key) };
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...files,
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    socket.once('error', reject).once('secureConnect', () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? '');
      socket.destroy();
    });
  });
}

afterAll(stopAll);

describe('a cluster with certificates', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  beforeAll(async () => {
    cluster = await startCluster();
  });

  it('answers over HTTPS, with experts over TLS', async () => {
    const messages = [{ role: 'user', content: 'What is 47 + 85?' }];
    const question = { model: 'demo', messages, temperature: 0, max_completion_tokens: 100 };
    const { status, body } = await ask(cluster.http, 'POST', '/v1/chat/completions', question);
    expect(status).toBe(200);
    expect(body).toContain('132');
  });

  it.each([
    ['data', '/expertmesh.v1.ExpertService/Dispatch'],
    ['control', '/expertmesh.v1.WorkerService/GetStats'],
    ['grpc', '/expertmesh.v1.AdminService/GetCluster'],
  ] as const)('refuses plain text, unknown authorities, ended certificates and wrong roles: %s', async (port, path) => {
    for (const files of [undefined, stranger.issue('coordinator'), mesh.issueExpired('coordinator')])
      expect(await rawCall(cluster[port], path, files)).toMatchObject({ kind: 'no connection' });
    for (const role of ['nats', 'client'] as const)
      expect(await rawCall(cluster[port], path, mesh.issue(role, `wrong-${role}`))).toMatchObject({
        status: PERMISSION_DENIED,
        message: expect.stringContaining(`role ${role} may not call ${path}`) as string,
      });
  });

  it('refuses HTTP in plain text', async () => {
    await expect(fetch(`http://127.0.0.1:${String(cluster.http)}/health/live`)).rejects.toThrow('fetch failed');
  });

  it('is commanded with a certificate of role admin, and with no other', async () => {
    const at = ['--coordinator', `127.0.0.1:${String(cluster.grpc)}`];
    const listed = await runCommand('workers', 'list', ...at, ...mesh.flags('admin'));
    expect(listed).toMatchObject({
      code: 0,
      output: expect.stringContaining(`127.0.0.1:${String(cluster.control)}`) as string,
    });
    const refused = await runCommand('workers', 'list', ...at, ...mesh.flags('client'));
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('role client may not call /expertmesh.v1.AdminService/GetCluster');
    const plain = await runCommand('workers', 'list', ...at);
    expect(plain.code).toBe(1);
    expect(plain.output).toContain('--tls-ca');
    const stats = await runCommand(
      'rpc',
      'WorkerService/GetStats',
      ...mesh.flags('admin'),
      ...['--coordinator', `127.0.0.1:${String(cluster.control)}`],
    );
    expect(stats).toMatchObject({ code: 0, output: expect.stringContaining('"bootId"') as string });
  });

  it('takes new certificates while requests run, and none fails', async () => {
    let isOver = false;
    const statuses: number[] = [];
    const load = Promise.all(
      Array.from({ length: NUM_STREAMS }, async () => {
        while (!isOver) statuses.push((await complete(cluster.http)).status);
      }),
    );
    // Where an expectation below fails, what comes of the load after that is no other failure.
    load.catch(() => undefined);
    for (let rotation = 0; rotation < NUM_ROTATIONS; rotation++) {
      const issued = [mesh.issue('worker'), mesh.issue('coordinator'), mesh.issue('client', 'http')];
      const serials = issued.map(({ cert }) => new X509Certificate(readFileSync(cert)).serialNumber);
      for (const { child } of cluster.processes) child.kill('SIGHUP');
      const [worker = '', coordinator = '', http = ''] = serials;
      const shown = { control: worker, data: worker, grpc: coordinator, http };
      for (const [port, serial] of Object.entries(shown) as [keyof Ports, string][])
        await expect.poll(() => shownSerial(cluster[port]), { timeout: 10_000, message: port }).toBe(serial);
    }
    isOver = true;
    await load;
    expect(statuses.length).toBeGreaterThan(NUM_ROTATIONS);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it('has its streams made anew with what the files hold, after everything was replaced', async () => {
    const [worker] = cluster.processes;
    const { dir } = await store;
    mesh.renewAuthority();
    for (const role of ['worker', 'coordinator'] as const) mesh.issue(role);
    cluster.processes[1]?.child.kill('SIGHUP');
    await worker?.stop('SIGKILL');
    const ports = ['--port', String(cluster.data), '--control-port', String(cluster.control)];
    const again = ExpertmeshProcess.start([...workerArgs(dir, mesh.flags('worker')), ...ports]);
    await again.listening('worker');
    mesh.issue('client', 'http');
    await expect.poll(async () => (await complete(cluster.http)).status, { timeout: 30_000, interval: 250 }).toBe(200);
  });
});

describe('the table of roles', () => {
  /** `/package.Service/Method` of every schema, and reflection, which has none here. */
  const methods = readdirSync(PROTO_DIR, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.proto'))
    .flatMap((file) => methodsOf(readFileSync(join(PROTO_DIR, file), 'utf8')))
    .concat(['v1', 'v1alpha'].map((version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`));

  it('has a row for every method of the schemas, and no other', () => {
    expect(methods.length).toBeGreaterThan(20);
    expect(Object.keys(METHOD_ROLES).sort()).toEqual([...methods].sort());
  });

  it('names the methods that take large requests as the schemas do', () => {
    expect(Object.keys(METHOD_BYTES).filter((path) => !methods.includes(path))).toEqual([]);
  });

  it('is what the ports do: every method with every role', async () => {
    const cluster = await startCluster();
    const allowed: Record<string, Role[]> = {};
    for (const role of ROLES) {
      const files = mesh.issue(role, `caller-${role}`);
      const call = async (path: string): Promise<void> => {
        for (const port of portsOf(path, cluster)) {
          const outcome = await rawCall(port, path, files);
          expect(outcome.kind, `${role} ${path}: ${JSON.stringify(outcome)}`).not.toBe('no connection');
          if (outcome.kind === 'status' && outcome.status === PERMISSION_DENIED)
            expect(outcome.message).toContain(`role ${role} may not call ${path}`);
          else allowed[path] = [...new Set([...(allowed[path] ?? []), role])];
        }
      };
      await Promise.all(methods.map(call));
    }
    const sorted = (table: Readonly<Record<string, readonly Role[]>>) =>
      Object.fromEntries(Object.entries(table).map(([path, roles]) => [path, [...roles].sort()]));
    expect(sorted(allowed)).toEqual(sorted(METHOD_ROLES));
  });
});

function methodsOf(schema: string): string[] {
  const packageName = /^package ([\w.]+);/m.exec(schema)?.[1] ?? '';
  return [...schema.matchAll(/^service (\w+) \{(.*?)^\}/gms)].flatMap(([, service = '', body = '']) =>
    [...body.matchAll(/^\s*rpc (\w+)\(/gm)].map(([, method = '']) => `/${packageName}.${service}/${method}`),
  );
}

function portsOf(path: string, { grpc, data, control }: Ports): number[] {
  if (path.includes('.ExpertService/')) return [data];
  if (path.includes('.WorkerService/')) return [control];
  return path.includes('.Health/') ? [control, grpc] : [grpc];
}

describe('a process without certificates', () => {
  it('does not listen beyond this machine, and says what to do', async () => {
    const { dir } = await store;
    const refused = await runCommand('worker', '--store', dir, '--port', '0', '--control-port', '0');
    expect(refused.code).toBe(2);
    for (const remedy of ['expertmesh certs init', '--tls-cert', '127.0.0.1', '--plaintext-mesh'])
      expect(refused.output).toContain(remedy);
    const told = ExpertmeshProcess.start([
      'worker',
      '--store',
      dir,
      '--port',
      '0',
      '--control-port',
      '0',
      '--plaintext-mesh',
    ]);
    expect((await told.listening('worker')).dataPort).toBeGreaterThan(0);
  });

  it('does not start with the certificate of another role', async () => {
    const { dir } = await store;
    const refused = await runCommand(...workerArgs(dir, mesh.flags('admin')));
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(
      'of role admin in cluster default, and this is a worker: "expertmesh certs issue worker"',
    );
  });
});
