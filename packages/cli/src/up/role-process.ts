import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ENVIRONMENT_PREFIX } from '@expertmesh/shared/config/option';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { parseListening, type ListeningPorts, type Role } from '@expertmesh/shared/process/parent-link';

/** A coordinator or worker that this process has forked. */
export interface RoleProcess<R extends Role> {
  readonly pid: number;
  /** Its ports, once they are open; rejects with `unavailable` when it ends before. */
  readonly listening: Promise<ListeningPorts[R]>;
  /** Resolves when it has ended, with how: "exit code 1" or "signal SIGKILL". */
  readonly ended: Promise<string>;
  /** SIGTERM, and SIGKILL when `deadline` aborts; resolves when it has ended. */
  stop(deadline: AbortSignal): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/**
 * Starts a role with the CLI's own main. The child ends when the IPC channel does, so it does not outlive this process.
 *
 * @param writeLogLine takes each line of its stderr.
 * @param secrets environment variables of its own.
 */
export function forkRole<R extends Role>(
  role: R,
  argv: readonly string[],
  writeLogLine: (line: string) => void,
  secrets: Readonly<Record<string, string>> = {},
): RoleProcess<R> {
  const child = fork(MAIN, [role, ...argv], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...environmentForChildren(), ...secrets },
    // Of a process group of its own: Ctrl-C in a terminal then reaches this process alone, which ends the others in
    // order.
    detached: true,
  });
  if (child.stderr !== null) createInterface(child.stderr).on('line', writeLogLine);

  const ended = endOf(child);
  const listening = new Promise<ListeningPorts[R]>((resolve, reject) => {
    child.on('message', (message) => {
      const ports = parseListening(message, role);
      if (ports !== undefined) resolve(ports);
    });
    void ended.then((how) => {
      reject(new ExpertmeshError('unavailable', `the ${role} ended before its ports were open (${how})`));
    });
  });
  // Whoever waits for it sees the rejection; a process that nobody waits for must not end this one.
  listening.catch(() => undefined);

  return {
    pid: child.pid ?? 0,
    listening,
    ended,
    stop: async (deadline) => {
      const kill = (): void => {
        child.kill('SIGKILL');
      };
      if (deadline.aborted) kill();
      else deadline.addEventListener('abort', kill, { once: true });
      child.kill('SIGTERM');
      await ended;
      deadline.removeEventListener('abort', kill);
    },
  };
}

/** How it has ended. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(signal === null ? `exit code ${String(code)}` : `signal ${signal}`);
    });
    // The system refused the process: there is no exit event then.
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(error.message);
    });
  });
}

// All that the children need is in their flags, but for secrets.
function environmentForChildren(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith(ENVIRONMENT_PREFIX));
  return Object.fromEntries(entries);
}
