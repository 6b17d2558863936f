import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// Signals, exit codes and the loss of a parent are the operating system's: each case is a real child process, which
// runs the built module.
const lifecycleUrl = new URL('../../dist/process/lifecycle.js', import.meta.url).href;
const loggerUrl = new URL('../../dist/process/logger.js', import.meta.url).href;

let directory: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'expertmesh-lifecycle-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

interface Running {
  readonly process: ChildProcess;
  readonly output: () => string;
  /** Resolves with the exit code, when all output has arrived. */
  readonly ended: Promise<number | null>;
}

/** Starts a process whose `start` is `body`, and resolves when it says that it is up, or has ended. */
async function startProcess(body: string): Promise<Running> {
  const file = join(directory, 'process.mjs');
  writeFileSync(
    file,
    `import { runUntilShutdown } from '${lifecycleUrl}';
     import { createLogger } from '${loggerUrl}';
     const say = (text) => process.stdout.write(text + '\\n');
     const logger = createLogger({ name: 'test', level: 'info' });
     try {
       await runUntilShutdown({ logger, drainTimeoutMs: 200 }, async (lifecycle) => {
         const alive = setInterval(() => {}, 1000);
         lifecycle.onShutdown('timer', () => clearInterval(alive));
         ${body}
         say('up');
       });
       say('clean');
     } catch (error) {
       say('failed: ' + error.message);
       process.exitCode = 1;
     }`,
  );
  const started = fork(file, { stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
  child = started;
  let output = '';
  const stdoutEnd = once(stdout(started), 'end');
  const ended = once(started, 'exit')
    .then(() => stdoutEnd)
    .then(() => started.exitCode);
  stdout(started)
    .setEncoding('utf8')
    .on('data', (chunk: string) => (output += chunk));
  while (!output.includes('up') && started.exitCode === null)
    await Promise.race([once(stdout(started), 'data'), ended]);
  return { process: started, output: () => output, ended };
}

function stdout(running: ChildProcess): Readable {
  if (running.stdout === null) throw new Error('stdout is not piped');
  return running.stdout;
}

describe('runUntilShutdown', () => {
  it('closes the parts in reverse order on SIGTERM and ends with code 0', async () => {
    const {
      process: running,
      output,
      ended,
    } = await startProcess(`
      lifecycle.onShutdown('first', async () => say('close first'));
      lifecycle.onShutdown('second', async () => { await new Promise(setImmediate); say('close second'); });`);
    running.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(output()).toBe('up\nclose second\nclose first\nclean\n');
  });

  it('tells a slow part when its time is up, and goes on after one that throws', async () => {
    const {
      process: running,
      output,
      ended,
    } = await startProcess(`
      lifecycle.onShutdown('slow', (deadline) => new Promise((resolve) => {
        deadline.addEventListener('abort', () => { say('hurried'); resolve(); });
      }));
      lifecycle.onShutdown('broken', () => { throw new Error('no'); });`);
    running.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(output()).toBe('up\nhurried\nclean\n');
  });

  it('exits at once on the second signal', async () => {
    const {
      process: running,
      output,
      ended,
    } = await startProcess(`
      lifecycle.onShutdown('stuck', () => { say('closing'); return new Promise(() => {}); });`);
    running.kill('SIGTERM');
    while (!output().includes('closing')) await once(stdout(running), 'data');
    running.kill('SIGINT');
    expect(await ended).toBe(1);
  });

  it('takes the same signal twice at once for one', async () => {
    const {
      process: running,
      output,
      ended,
    } = await startProcess(`
      lifecycle.onShutdown('slow', async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        say('closed');
      });`);
    running.kill('SIGINT');
    running.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(output()).toBe('up\nclosed\nclean\n');
  });

  it('ends when the parent goes away', async () => {
    const { process: running, output, ended } = await startProcess('');
    running.disconnect();
    expect(await ended).toBe(1);
    expect(output()).toContain('the parent process is gone');
  });

  it('closes what was opened before a start that fails, and rejects with its error', async () => {
    const { output, ended } = await startProcess(`
      lifecycle.onShutdown('opened', () => say('closed'));
      throw new Error('port is taken');`);
    expect(await ended).toBe(1);
    expect(output()).toBe('closed\nfailed: port is taken\n');
  });

  it('interrupts a start that is still under way', async () => {
    const {
      process: running,
      output,
      ended,
    } = await startProcess(`
      say('up but loading');
      await new Promise((resolve) => lifecycle.signal.addEventListener('abort', resolve));
      throw new Error('interrupted');`);
    running.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(output()).toBe('up but loading\nclean\n');
  });

  it('ends with an error when a part fails later', async () => {
    const { output, ended } = await startProcess(`
      setTimeout(() => lifecycle.fail(new Error('engine thread died')), 20);`);
    expect(await ended).toBe(1);
    expect(output()).toBe('up\nfailed: engine thread died\n');
  });
});
