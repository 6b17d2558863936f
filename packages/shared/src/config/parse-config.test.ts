import { Command, CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { exitCodeOf } from '../process/exit-code.js';
import { parseCoordinatorConfig } from './coordinator-config.js';
import { addOptions } from './parse-config.js';
import { readUpConfig } from './up-config.js';
import { UP_OPTIONS } from './up-options.js';
import { parseWorkerConfig } from './worker-config.js';

// Commander prints to stderr before it throws; the text is what a user sees.
let printed = '';
beforeEach(() => {
  printed = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    printed += String(chunk);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

function wrongUsage(parse: () => unknown): string {
  let thrown: unknown;
  try {
    parse();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(CommanderError);
  expect(exitCodeOf(thrown)).toBe(2);
  return printed;
}

const LOCAL_WORKER = ['--store', 's', '--host', '127.0.0.1'];

describe('parseWorkerConfig', () => {
  it('fills every setting that is not given', () => {
    const config = parseWorkerConfig(['--store', '/models/a', '--plaintext-mesh'], {});
    expect(config).toMatchObject({
      store: '/models/a',
      host: '0.0.0.0',
      port: 9100,
      controlPort: 9101,
      logLevel: 'info',
    });
    expect(config.memoryBudgetBytes).toBeGreaterThan(0);
    expect(config.numThreads).toBeGreaterThan(0);
  });

  it('takes a flag before its environment variable, and that before the default', () => {
    const env = { EXPERTMESH_STORE: '/models/b', EXPERTMESH_PORT: '7000', EXPERTMESH_CONTROL_PORT: '7001' };
    expect(parseWorkerConfig(['--port', '8123', '--plaintext-mesh'], env)).toMatchObject({
      store: '/models/b',
      port: 8123,
      controlPort: 7001,
    });
  });

  it('reads sizes with units', () => {
    const budget = (text: string): number =>
      parseWorkerConfig([...LOCAL_WORKER, '--memory-budget-bytes', text], {}).memoryBudgetBytes;
    expect(budget('8GiB')).toBe(8 * 2 ** 30);
    expect(budget('1.5GB')).toBe(1_500_000_000);
    expect(budget('2097152')).toBe(2_097_152);
  });

  it('gives an object that cannot be changed', () => {
    expect(Object.isFrozen(parseWorkerConfig(LOCAL_WORKER, {}))).toBe(true);
  });

  it.each([
    ['an unknown flag', ['--store', 's', '--prot', '1'], {}, '--prot'],
    ['an argument that is no flag', ['--store', 's', 'extra'], {}, 'too many arguments'],
    ['an unknown environment variable', ['--store', 's'], { EXPERTMESH_PROT: '1' }, 'EXPERTMESH_PROT'],
    ['a missing required setting', [], {}, '--store <dir> (or EXPERTMESH_STORE) is required'],
    ['a value out of range', ['--store', 's', '--port', '70000'], {}, 'a whole number from 0 to 65535'],
    ['a value that is no number', ['--store', 's', '--port', '0x10'], {}, "--port is '0x10'"],
    ['a size without meaning', ['--store', 's', '--memory-budget-bytes', '8 giants'], {}, 'a size such as 8GiB'],
    ['an unknown choice', ['--store', 's'], { EXPERTMESH_LOG_LEVEL: 'loud' }, 'EXPERTMESH_LOG_LEVEL'],
    ['two equal ports', ['--store', 's', '--port', '9101'], {}, 'must differ'],
    ['a name that NATS would not take', ['--store', 's', '--cluster', 'a.b'], {}, 'at most 64 letters'],
    [
      'a NATS server that is none',
      ['--store', 's', '--nats-url', 'http://a'],
      {},
      'a URL such as nats://10.0.0.5:4222',
    ],
    ['a port in a host', ['--store', 's', '--advertise-host', 'a:1'], {}, 'without a port'],
  ])('refuses %s', (_, argv, env, message) => {
    expect(wrongUsage(() => parseWorkerConfig(argv, env))).toContain(message);
  });

  it('accepts a variable that another role reads', () => {
    expect(() => parseWorkerConfig(LOCAL_WORKER, { EXPERTMESH_KV_CACHE_BYTES: '1GiB' })).not.toThrow();
  });
});

describe('certificates', () => {
  const CERTIFICATES = ['--tls-ca', 'ca.crt', '--tls-cert', 'a.crt', '--tls-key', 'a.key'];

  it.each(['127.0.0.1', '127.0.0.53', '::1', 'localhost'])('are not needed on %s', (host) => {
    expect(() => parseWorkerConfig(['--store', 's', '--host', host], {})).not.toThrow();
  });

  it.each(['0.0.0.0', '::', '10.0.0.7', 'box-1', '127.0.0.1.example.org'])('are needed on %s', (host) => {
    const argv = ['--store', 's', '--host', host];
    expect(wrongUsage(() => parseWorkerConfig(argv, {}))).toContain('"expertmesh certs init"');
    expect(() => parseWorkerConfig([...argv, ...CERTIFICATES], {})).not.toThrow();
    expect(() => parseWorkerConfig([...argv, '--plaintext-mesh'], {})).not.toThrow();
  });

  it('are all there, or none', () => {
    const argv = [...LOCAL_WORKER, ...CERTIFICATES.slice(0, 4)];
    expect(wrongUsage(() => parseWorkerConfig(argv, {}))).toContain('--tls-ca, --tls-cert and --tls-key go together');
  });

  it('are asked for where the gRPC port of a coordinator listens, whatever its HTTP port does', () => {
    const argv = ['--store', 's', '--local-experts', '--host', '0.0.0.0'];
    expect(wrongUsage(() => parseCoordinatorConfig(argv, {}))).toContain('--host 0.0.0.0 is reached');
    expect(() => parseCoordinatorConfig([...argv, '--grpc-host', '127.0.0.1'], {})).not.toThrow();
    const outside = ['--store', 's', '--local-experts', '--grpc-host', '10.0.0.7'];
    expect(wrongUsage(() => parseCoordinatorConfig(outside, {}))).toContain('--grpc-host 10.0.0.7 is reached');
  });

  it('of HTTP have a key', () => {
    const argv = ['--store', 's', '--local-experts', '--http-tls-cert', 'a.crt'];
    expect(wrongUsage(() => parseCoordinatorConfig(argv, {}))).toContain('--http-tls-key go together');
  });
});

describe('readUpConfig', () => {
  it.each([
    [['--max-batch-tokens', '8'], '--max-num-seqs 64'],
    [['--port', '9000'], '--grpc-port'],
  ])('refuses what the coordinator would refuse: %j', (argv, message) => {
    const command = addOptions(new Command().exitOverride(), UP_OPTIONS).parse(argv, { from: 'user' });
    expect(wrongUsage(() => readUpConfig(command, {}))).toContain(message);
  });
});

describe('parseCoordinatorConfig', () => {
  it('completes worker addresses with the default control port', () => {
    const { workers } = parseCoordinatorConfig(['--store', 's', '--workers', '10.0.0.5, box-2:7101,[fd00::1]'], {});
    expect(workers).toEqual([
      { host: '10.0.0.5', port: 9101 },
      { host: 'box-2', port: 7101 },
      { host: 'fd00::1', port: 9101 },
    ]);
  });

  it('takes NATS instead of workers, with several servers and any kind of host', () => {
    const argv = ['--store', 's', '--nats-url', 'nats://n-1:4222,[::1]', '--advertise-host', '::1'];
    expect(parseCoordinatorConfig(argv, {})).toMatchObject({
      natsUrl: 'nats://n-1:4222,[::1]',
      cluster: 'default',
      coordinatorId: undefined,
      advertiseHost: '::1',
      workers: [],
    });
  });

  it.each([
    ['no workers', ['--store', 's'], '--workers'],
    ['workers beside NATS', ['--store', 's', '--workers', 'a', '--nats-url', 'nats://n'], 'exclude each other'],
    ['local experts with NATS', ['--store', 's', '--local-experts', '--nats-url', 'n'], '--local-experts does not go'],
    ['an address that is none', ['--store', 's', '--workers', 'a b'], "--workers is 'a b'"],
    ['the same worker twice', ['--store', 's', '--workers', 'a,a:9101'], 'each once'],
    [
      'a heartbeat timeout below the interval',
      ['--store', 's', '--workers', 'a', '--heartbeat-timeout-ms', '100'],
      '--heartbeat-interval-ms 500',
    ],
    [
      'fewer tokens a step than sequences',
      ['--store', 's', '--workers', 'a', '--max-batch-tokens', '8'],
      '--max-num-seqs 64',
    ],
  ])('refuses %s', (_, argv, message) => {
    expect(wrongUsage(() => parseCoordinatorConfig(argv, {}))).toContain(message);
  });

  it('prints the help text and asks for exit code 0', () => {
    let shown = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      shown += String(chunk);
      return true;
    });
    let thrown: unknown;
    try {
      parseCoordinatorConfig(['--help'], {});
    } catch (error) {
      thrown = error;
    }
    expect(exitCodeOf(thrown)).toBe(0);
    expect(shown).toContain('--kv-cache-bytes <size>');
    expect(shown).toContain('EXPERTMESH_KV_CACHE_BYTES');
  });
});
