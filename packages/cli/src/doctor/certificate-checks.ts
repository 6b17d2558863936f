import { DEFAULT_PORTS } from '@expertmesh/shared/config/default-ports';
import { type TlsConfig } from '@expertmesh/shared/config/tls-options';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { RpcClient } from '@expertmesh/shared/rpc/client';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { checkHealth } from '@expertmesh/shared/rpc/health';
import { readCredentials } from '@expertmesh/shared/transport-security/credentials';
import { tlsFilesOf } from '@expertmesh/shared/transport-security/open-transport-security';
import { type TransportSecurity, warningsOf } from '@expertmesh/shared/transport-security/transport-security';
import { broken, note, ok, type Check } from './check.js';

const ANSWER_MS = 2_000;

/** What the files of --tls-* are good for, as whoever is shown them finds; nothing where none are given. */
export function certificateCheck(config: TlsConfig, nowMs: number): Check[] {
  const files = tlsFilesOf(config);
  if (files === undefined) return [];
  try {
    const credentials = readCredentials(files, nowMs);
    const { identity, x509 } = credentials;
    const validFromMs = Date.parse(x509.validFrom);
    const what = `${files.cert} is of role ${identity.role} in cluster ${identity.cluster}`;
    if (validFromMs > nowMs)
      return [
        broken(
          'certificate',
          `${what}, and not valid before ${new Date(validFromMs).toISOString()}: is the clock of this machine right?`,
        ),
      ];
    const warnings = warningsOf(credentials, nowMs);
    return [warnings.length === 0 ? ok('certificate', what) : note('certificate', [what, ...warnings].join('; '))];
  } catch (thrown) {
    return [broken('certificate', ExpertmeshError.from(thrown).message)];
  }
}

/** Whether what listens on the gRPC ports of this machine is known by its certificate, and takes the own one. */
export async function meshPortChecks(security: TransportSecurity): Promise<Check[]> {
  const ports = [
    { port: DEFAULT_PORTS.grpc, role: 'coordinator' },
    { port: DEFAULT_PORTS.control, role: 'worker' },
  ] as const;
  return Promise.all(ports.map(({ port, role }) => meshPortCheck(port, role, security)));
}

/** @returns a note where nobody answers, for nothing needs to run here. */
export async function meshPortCheck(
  port: number,
  role: 'coordinator' | 'worker',
  security: TransportSecurity,
): Promise<Check> {
  const name = `TLS on port ${String(port)}`;
  const secure = { security, serverRoles: [role] };
  const client = new RpcClient(`127.0.0.1:${String(port)}`, `port ${String(port)}`, systemClock, {}, secure);
  try {
    const isServing = await checkHealth(client, '', { deadlineMs: ANSWER_MS, signal: new AbortController().signal });
    return ok(name, `a ${role} answers, and ${isServing ? 'serves' : 'does not serve yet'}`);
  } catch (thrown) {
    const { message } = ExpertmeshError.from(thrown);
    return message.includes('ECONNREFUSED') ? note(name, `nobody listens (${role})`) : broken(name, message);
  } finally {
    client.close();
  }
}
