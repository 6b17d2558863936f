import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { forkTypescript } from '@expertmesh/test-kit/fork-typescript';
import { PeerProcess, type PeerOptions } from './peer-process.js';

/** Another engine that the bench can run. */
export interface Peer {
  /** Stands before the names of its measures. */
  readonly name: string;
  readonly title: string;
  /** As installed; undefined where it is not. */
  version(): string | undefined;
  start(options: PeerOptions): Promise<PeerProcess>;
}

export const INSTALL_COMMANDS =
  'npm install --prefix test/bench/peers; python3 -m venv test/bench/peers/venv && ' +
  'test/bench/peers/venv/bin/pip install ik-llama-cpp-python';

const PYTHON = fileURLToPath(new URL('./venv/bin/python', import.meta.url));

export const PEERS: readonly Peer[] = [
  {
    name: 'llamaCpp',
    title: 'llama.cpp',
    version: llamaCppVersion,
    start: (options) =>
      PeerProcess.start('llamaCpp', forkTypescript(new URL('./llama-cpp-process.ts', import.meta.url), options)),
  },
  ikLlamaCpp('ikMapped', 'ik_llama.cpp, mapped', false),
  ikLlamaCpp('ikRepacked', 'ik_llama.cpp, repacked at load', true),
];

/** Versions of what is installed, by title. */
export function peerVersions(): Record<string, string> {
  return Object.fromEntries(PEERS.map((peer) => [peer.title, peer.version() ?? 'not installed']));
}

function llamaCppVersion(): string | undefined {
  const file = new URL('./node_modules/node-llama-cpp/package.json', import.meta.url);
  if (!existsSync(file)) return undefined;
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return `node-llama-cpp ${version}`;
}

function ikLlamaCpp(name: string, title: string, isRepacked: boolean): Peer {
  return {
    name,
    title,
    version: ikLlamaCppVersion,
    start: (options) => {
      const script = fileURLToPath(new URL('./ik-llama-cpp-process.py', import.meta.url));
      // What it prints goes to stderr.
      const stdio = ['ignore', process.stderr.fd, 'inherit', 'ipc'] as const;
      return PeerProcess.start(
        name,
        spawn(PYTHON, [script, JSON.stringify({ ...options, isRepacked })], { stdio: [...stdio] }),
      );
    },
  };
}

function ikLlamaCppVersion(): string | undefined {
  const code = 'import importlib.metadata as m; print(m.version("ik-llama-cpp-python"))';
  const { status, stdout } = spawnSync(PYTHON, ['-c', code], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const library = process.env['IK_LLAMA_CPP_LIB_PATH'];
  return `ik-llama-cpp-python ${stdout.trim()}${library === undefined ? '' : `, library ${library}`}`;
}
