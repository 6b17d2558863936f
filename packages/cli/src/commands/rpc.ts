import { Option, type Command } from 'commander';
import { text as textOf } from 'node:stream/consumers';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ADMIN_OPTIONS } from '@expertmesh/shared/config/admin-options';
import { decimal } from '@expertmesh/shared/config/option-value';
import { readConfig } from '@expertmesh/shared/config/parse-config';
import { tlsContradiction } from '@expertmesh/shared/config/tls-options';
import { EXIT_WRONG_USAGE } from '@expertmesh/shared/process/exit-code';
import { keyHeaders, RpcClient } from '@expertmesh/shared/rpc/client';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { type ServerStreamMethod, type UnaryMethod } from '@expertmesh/shared/rpc/service-definition';
import { openOwnSecurity } from '@expertmesh/shared/transport-security/open-transport-security';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { apiKeyOf } from '../network/api-key.js';
import { adminCommand, interruptible } from '../admin/admin-command.js';
import { describeMethod, signatureOf, unknownFields } from '../rpc/describe-method.js';
import { findMethod, METHODS, requestTypeOf, type CatalogueMethod } from '../rpc/method-catalogue.js';
import { checkedOption } from '../options/checked-option.js';

interface RpcFlags {
  readonly data?: string;
  readonly list?: true;
  readonly describe?: true;
  readonly timeout: number;
}

const MAX_TIMEOUT_SECONDS = 86_400;

export function rpcCommand(): Command {
  return adminCommand('rpc', 'Call any method of any service, with JSON in and out.')
    .argument('[method]', 'Such as GetCluster, or expertmesh.v1.WorkerService/GetStats.')
    .option('-d, --data <json>', 'The request; - reads it from the input. (default: an empty one)')
    .addOption(new Option('--list', 'List all methods.').conflicts(['describe', 'data']))
    .addOption(new Option('--describe', 'Show the messages of the method.').conflicts('data'))
    .addOption(
      checkedOption(
        '--timeout',
        'Seconds that an answer, or each message of a stream, may take.',
        decimal('<seconds>', 0.1, MAX_TIMEOUT_SECONDS),
      ).default(10),
    )
    .addHelpText(
      'after',
      `
--coordinator may name any process that speaks gRPC: a worker's control port
(9101) has WorkerService. Streams are printed as one line of JSON a message.

  expertmesh rpc --list
  expertmesh rpc --describe PlanPlacement
  expertmesh rpc PlanPlacement -d '{"policy": "eplb"}'
  expertmesh rpc WorkerService/GetStats --coordinator box-1:9101`,
    )
    .action(runRpc);
}

async function runRpc(name: string | undefined, flags: RpcFlags, command: Command): Promise<void> {
  if (flags.list) {
    print(METHODS.map(signatureOf));
    return;
  }
  if (name === undefined) return command.error('error: missing argument: method', { exitCode: EXIT_WRONG_USAGE });
  const method = findMethod(name);
  if (flags.describe) {
    print(describeMethod(method));
    return;
  }
  if (method.definition.requestStream)
    throw new ExpertmeshError(
      'unimplemented',
      `${method.name} takes a stream of requests: only methods that take one request can be called`,
    );
  const request = await readRequest(flags.data, method);
  const config = readConfig(command, ADMIN_OPTIONS, process.env, tlsContradiction);
  const key = method.definition.path.includes('.InferenceService/') ? apiKeyOf(process.env) : config.adminKey;
  const security = openOwnSecurity(config);
  const peer = { address: config.coordinator, key, security };
  await interruptible(({ signal }) => call(peer, method, request, flags, signal)).finally(() => security?.close());
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function readRequest(data: string | undefined, method: CatalogueMethod): Promise<object> {
  const json = data === '-' ? await textOf(process.stdin) : (data ?? '{}');
  const request = parseObject(json);
  const [unknown] = unknownFields(request, requestTypeOf(method));
  if (unknown === undefined) return request;
  throw new ExpertmeshError(
    'invalid_argument',
    `the request has a field ${unknown}, which ${requestTypeOf(method).name} has not: ` +
      `see "expertmesh rpc --describe ${method.name}"`,
  );
}

function parseObject(json: string): object {
  const refuse = (reason: string): never => {
    throw new ExpertmeshError('invalid_argument', `--data must be a JSON object: ${reason}`);
  };
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : refuse(`it is ${json}`);
  } catch (thrown) {
    return thrown instanceof ExpertmeshError ? refuse('it is none') : refuse((thrown as Error).message);
  }
}

interface Peer {
  readonly address: string;
  readonly key: string | undefined;
  readonly security: TransportSecurity | undefined;
}

async function call(
  { address, key, security }: Peer,
  { definition }: CatalogueMethod,
  request: object,
  { timeout }: RpcFlags,
  signal: AbortSignal,
): Promise<void> {
  const secure = { security, serverRoles: ['coordinator', 'worker'] } as const;
  const client = new RpcClient(address, address, systemClock, keyHeaders(key), secure);
  const options = { deadlineMs: 1000 * timeout, signal, isPerMessage: true };
  try {
    if (definition.responseStream) {
      const method = definition as unknown as ServerStreamMethod<object, object>;
      for await (const message of client.serverStream(method, request, options))
        process.stdout.write(`${JSON.stringify(message)}\n`);
    } else {
      const method = definition as unknown as UnaryMethod<object, object>;
      const response = await client.unary(method, request, options);
      process.stdout.write(`${JSON.stringify(response, undefined, 2)}\n`);
    }
  } finally {
    client.close();
  }
}
