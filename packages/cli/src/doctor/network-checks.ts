import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { probeNats } from '@expertmesh/shared/control-plane/nats-connection';
import { DEFAULT_PORTS } from '@expertmesh/shared/config/default-ports';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { portState } from '../network/port-state.js';
import { note, ok, type Check } from './check.js';

const NATS_TIMEOUT_MS = 1_000;

/** The ports that the roles listen on by default. A taken one is a note: it may be Expertmesh itself that runs. */
export async function portChecks(): Promise<Check[]> {
  const ports = [
    { use: 'coordinator HTTP', port: DEFAULT_PORTS.http },
    { use: 'coordinator gRPC', port: DEFAULT_PORTS.grpc },
    { use: 'worker data', port: DEFAULT_PORTS.data },
    { use: 'worker control', port: DEFAULT_PORTS.control },
  ];
  return Promise.all(
    ports.map(async ({ use, port }) => {
      const name = `port ${String(port)}`;
      const state = await portState('0.0.0.0', port);
      if (state.kind === 'free') return ok(name, `free (${use})`);
      const reason = state.kind === 'taken' ? 'taken' : state.reason;
      return note(name, `${reason} (${use}): another port can be chosen by a flag`);
    }),
  );
}

/** Neither is needed to serve. */
export async function natsChecks(url: string, security?: TransportSecurity, credsFile?: string): Promise<Check[]> {
  const binary = findOnPath('nats-server');
  return [
    await natsServerCheck(url, security, credsFile),
    binary === undefined ? note('nats-server', 'not on PATH; nothing needs it') : ok('nats-server', binary),
  ];
}

async function natsServerCheck(url: string, security?: TransportSecurity, credsFile?: string): Promise<Check> {
  try {
    const { version, hasJetStream } = await probeNats(url, NATS_TIMEOUT_MS, security, credsFile);
    return ok('NATS', `${version} at ${url}, ${hasJetStream ? 'with' : 'without'} JetStream`);
  } catch (error) {
    return note('NATS', `${ExpertmeshError.from(error).message}; nothing needs it`);
  }
}

function findOnPath(binary: string): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, binary));
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
