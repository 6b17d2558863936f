import { afterEach, describe, expect, it } from 'vitest';
import { descendantsOf, isAlive } from '@expertmesh/test-kit/child-pids';
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { ask } from './ask.js';

const FAILS_WITHIN_MS = 2_000;
const cacheDir = tempDir();

const startMesh = (): Promise<Mesh> => Mesh.start(['--workers', '2', '--cache-dir', cacheDir]);

function pidOf(mesh: Mesh, role: 'worker' | 'coordinator'): number {
  const found = descendantsOf(mesh.up.pid).find(({ command }) => command.includes(`main.js ${role}`));
  if (found === undefined) throw new Error(`no ${role} process under expertmesh up`);
  return found.pid;
}

/** Streams long answers without end tokens, so that they are under way when something is killed. */
async function streamUntilError(mesh: Mesh, onFirstToken: () => void): Promise<Error> {
  const stream = await mesh.client.completions.create({
    model: DEMO_MODEL,
    prompt: 'Tell me a short story about Mia.',
    max_tokens: 1900,
    stream: true,
    ...{ ignore_eos: true },
  });
  let numTokens = 0;
  try {
    for await (const _ of stream) {
      numTokens += 1;
      if (numTokens === 1) onFirstToken();
    }
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error(`the stream ended without an error after ${String(numTokens)} pieces`);
}

describe('expertmesh up', () => {
  afterEach(stopAll);

  it('fails the requests under way within 2 s when a worker is killed, starts it again, and serves again', async () => {
    const mesh = await startMesh();
    const victim = pidOf(mesh, 'worker');
    let killedAtMs = 0;
    const error = await streamUntilError(mesh, () => {
      process.kill(victim, 'SIGKILL');
      killedAtMs = performance.now();
    });
    expect(performance.now() - killedAtMs).toBeLessThan(FAILS_WITHIN_MS);
    expect(error.message).toMatch(/worker 127\.0\.0\.1:\d+/);
    await mesh.up.until(
      async () => (await mesh.stats()).engine.kvCacheUsedBytes === 0,
      'has freed the KV cache',
      5_000,
    );
    await mesh.up.until(() => mesh.isReady(), 'is ready again');
    expect((await ask(mesh, 'What is 47 + 85?', true)).content).toBe('132');
    expect(await mesh.up.stop('SIGTERM')).toBe(0);
  });

  it('refuses requests with 503, Retry-After and the reason while a worker is away', async () => {
    const mesh = await startMesh();
    const victim = pidOf(mesh, 'worker');
    process.kill(victim, 'SIGSTOP');
    try {
      await mesh.up.until(async () => !(await mesh.isReady()), 'has noticed', 5_000);
      const response = await fetch(`${mesh.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: DEMO_MODEL, prompt: 'Hello', max_tokens: 1 }),
      });
      expect(response.status).toBe(503);
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await response.text()).toMatch(/worker 127\.0\.0\.1:\d+ is away/);
    } finally {
      process.kill(victim, 'SIGCONT');
    }
    await mesh.up.until(() => mesh.isReady(), 'is ready again');
  });

  it('fails requests under way within 2 s when a worker hangs', async () => {
    const mesh = await startMesh();
    const victim = pidOf(mesh, 'worker');
    let stoppedAtMs = 0;
    try {
      const error = await streamUntilError(mesh, () => {
        process.kill(victim, 'SIGSTOP');
        stoppedAtMs = performance.now();
      });
      expect(performance.now() - stoppedAtMs).toBeLessThan(FAILS_WITHIN_MS);
      expect(error.message).toMatch(/worker 127\.0\.0\.1:\d+/);
    } finally {
      process.kill(victim, 'SIGCONT');
    }
  });

  it('ends in good time although a worker hangs', async () => {
    const mesh = await startMesh();
    const victim = pidOf(mesh, 'worker');
    process.kill(victim, 'SIGSTOP');
    const stoppedAtMs = performance.now();
    expect(await mesh.up.stop('SIGTERM')).toBe(0);
    expect(performance.now() - stoppedAtMs).toBeLessThan(8_000);
    expect(isAlive(victim)).toBe(false);
  });

  it('starts a killed coordinator again at the same address', async () => {
    const mesh = await startMesh();
    const victim = pidOf(mesh, 'coordinator');
    process.kill(victim, 'SIGKILL');
    await mesh.up.until(() => !isAlive(victim), 'has lost its coordinator');
    await mesh.up.until(() => mesh.isReady(), 'is ready again');
    expect((await ask(mesh, 'What is 47 + 85?', true)).content).toBe('132');
  });

  it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('leaves no process behind after %s', async (signal) => {
    const mesh = await startMesh();
    const children = descendantsOf(mesh.up.pid);
    expect(children.length).toBeGreaterThanOrEqual(3);
    const exitCode = await mesh.up.stop(signal);
    expect(exitCode).toBe(signal === 'SIGKILL' ? null : 0);
    await expect.poll(() => children.filter(({ pid }) => isAlive(pid)), { timeout: 5_000 }).toEqual([]);
  });
});
