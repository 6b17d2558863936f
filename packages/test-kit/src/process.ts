import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseListening, type ListeningPorts, type Role } from '@expertmesh/shared/process/parent-link';
import { forkOptions, type CommandPrefix } from './fork-typescript.js';
import { tempDir } from './temp-dir.js';

const CLI = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
const START_TIMEOUT_MS = 60_000;
const EXIT_TIMEOUT_MS = 15_000;

/** A process of the `expertmesh` command, as a test sees it. */
export class ExpertmeshProcess {
  readonly child: ChildProcess;
  readonly #command: string;
  #output = '';
  #message: unknown;

  private constructor(args: readonly string[], prefix: CommandPrefix) {
    this.#command = `expertmesh ${args.join(' ')}`;
    this.child = fork(CLI, [...args], {
      ...forkOptions(prefix),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: testEnvironment(),
    });
    this.child.stdout?.on('data', (data: Buffer) => (this.#output += data.toString()));
    this.child.stderr?.on('data', (data: Buffer) => (this.#output += data.toString()));
    this.child.on('message', (message) => (this.#message ??= message));
    running.add(this);
    this.child.once('exit', () => running.delete(this));
  }

  /**
   * Starts `expertmesh ARGS`, under another command if there is a prefix. It is killed when the test process ends,
   * whatever happens.
   */
  static start(args: readonly string[], prefix: CommandPrefix = []): ExpertmeshProcess {
    return new ExpertmeshProcess(args, prefix);
  }

  /** Everything that it printed so far, stdout and stderr. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Waits until it says which ports it listens on. */
  async listening<R extends Role>(role: R): Promise<ListeningPorts[R]> {
    await this.until(() => this.#message !== undefined, 'is listening', START_TIMEOUT_MS);
    const ports = parseListening(this.#message, role);
    if (ports === undefined) throw new Error(`${this.#command} is not a ${role}`);
    return ports;
  }

  /** Waits for a condition, and fails with the process's output if it ends or takes too long. */
  async until(condition: () => boolean | Promise<boolean>, what: string, timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (this.hasExited) throw new Error(`${this.#command} exited before it ${what}:\n${this.#output}`);
      if (performance.now() > endMs)
        throw new Error(`${this.#command} took too long until it ${what}:\n${this.#output}`);
      await pause(20);
    }
  }

  /** Sends a signal and waits for the end; returns the exit code, or null after a kill. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.hasExited) this.child.kill(signal);
    return this.exited();
  }

  async exited(): Promise<number | null> {
    const endMs = performance.now() + EXIT_TIMEOUT_MS;
    while (!this.hasExited) {
      if (performance.now() > endMs) {
        this.child.kill('SIGKILL');
        throw new Error(`${this.#command} did not end:\n${this.#output}`);
      }
      await pause(20);
    }
    return this.child.exitCode;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const running = new Set<ExpertmeshProcess>();
process.once('exit', () => {
  for (const { child } of running) child.kill('SIGKILL');
});

/** Ends every process that a test left. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((left) => left.stop('SIGKILL')));
}

// Settings of whoever runs the tests must not change them.
/** Stands for the user's cache directory. */
const cacheHome = tempDir();

function testEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('EXPERTMESH_'));
  return { ...Object.fromEntries(inherited), XDG_CACHE_HOME: cacheHome };
}
