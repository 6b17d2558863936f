import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { probeNats } from '@expertmesh/shared/control-plane/nats-connection';
import { type TlsFiles } from '@expertmesh/shared/transport-security/credentials';
import { TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { pause } from './process.js';
import { tempDir } from './temp-dir.js';

const BINARY = 'nats-server';
const START_TIMEOUT_MS = 10_000;
const PROBE_TIMEOUT_MS = 250;

export interface NatsServerOptions {
  /** Loopback if left out. */
  readonly host?: string | undefined;
  /** What it shows, and asks its clients for. */
  readonly tls?: TlsFiles | undefined;
  /** It takes the directory and the files of TLS from the environment. */
  readonly configFile?: string;
  /** By which it knows who asks whether it is there. */
  readonly credsFile?: string;
}

/** A real nats-server with JetStream, on a free loopback port and in a directory of its own. */
export class NatsServerProcess {
  readonly url: string;
  readonly #port: number;
  readonly #storeDir = join(tempDir(), 'jetstream');
  readonly #options: NatsServerOptions;
  #child: ChildProcess | undefined;

  private constructor(port: number, options: NatsServerOptions) {
    this.#port = port;
    this.#options = options;
    this.url = `nats://${hostOf(options)}:${String(port)}`;
  }

  /** It is killed when the test process ends, whatever happens. */
  static async start(options: NatsServerOptions = {}): Promise<NatsServerProcess> {
    const server = new NatsServerProcess(await freePort(), options);
    await server.restart();
    return server;
  }

  /** Starts it again where it was, with what its store has. */
  async restart(): Promise<void> {
    await this.stop();
    const { tls, configFile } = this.#options;
    const args = ['--addr', hostOf(this.#options), '--port', String(this.#port)];
    if (configFile !== undefined) args.push('--config', configFile);
    else args.push('--jetstream', '--store_dir', this.#storeDir, ...tlsArgs(tls));
    const env = { ...process.env, NATS_STORE_DIR: this.#storeDir, ...tlsEnvironment(tls) };
    const child = spawn(BINARY, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
    let output = '';
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    const endMs = performance.now() + START_TIMEOUT_MS;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || performance.now() > endMs)
        throw new Error(`${BINARY} does not answer at ${this.url}:\n${output}`);
    }
  }

  /** With SIGKILL, as when its machine dies, unless told otherwise. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  /** Kills it and loses everything that it had stored; then `restart`. */
  async wipe(): Promise<void> {
    await this.stop();
    rmSync(this.#storeDir, { recursive: true, force: true });
  }

  /** It answers nothing any more, and no connection ends. */
  async pause(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    child.kill('SIGSTOP');
    while (!isStopped(child.pid)) await pause(1);
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async #answers(): Promise<boolean> {
    const { tls, credsFile } = this.#options;
    const security = tls && new TransportSecurity(tls, undefined);
    try {
      return (await probeNats(this.url, PROBE_TIMEOUT_MS, security, credsFile)).hasJetStream;
    } catch {
      return false;
    } finally {
      security?.close();
    }
  }
}

const hostOf = ({ host = '127.0.0.1' }: NatsServerOptions): string => host;

const tlsArgs = (tls: TlsFiles | undefined): string[] =>
  tls === undefined ? [] : ['--tlsverify', '--tlscacert', tls.ca, '--tlscert', tls.cert, '--tlskey', tls.key];

const tlsEnvironment = (tls: TlsFiles | undefined): NodeJS.ProcessEnv =>
  tls === undefined ? {} : { NATS_TLS_CA: tls.ca, NATS_TLS_CERT: tls.cert, NATS_TLS_KEY: tls.key };

/** A suite that needs nats-server. Where it is not installed it is skipped, and its name says why. */
export function describeNats(name: string, suite: () => void): void {
  if (spawnSync(BINARY, ['--version']).error === undefined) {
    describe(name, suite);
    return;
  }
  describe.skip(`${name}: no ${BINARY} in the PATH (apt-get install ${BINARY})`, () => {
    it(`needs ${BINARY}`, () => undefined);
  });
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** All its threads; a signal reaches them one by one. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${String(pid)}/task`;
  return readdirSync(tasks).every((task) => /^State:\s+T/m.test(readFileSync(`${tasks}/${task}/status`, 'utf8')));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
