import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descendantsOf, isAlive } from '@expertmesh/test-kit/child-pids';
import { Mesh } from '@expertmesh/test-kit/mesh';
import { ExpertmeshProcess, pause, stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

afterAll(stopAll);

/** The demo model with another chat template. */
function modelWith(template: string): string {
  const dir = join(tempDir(), 'model');
  cpSync('models/qwen3-moe-demo', dir, { recursive: true });
  const path = join(dir, 'tokenizer_config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...config, chat_template: template }));
  return dir;
}

const ENDLESS = '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}';

describe('a template that takes its time where a message asks for it', () => {
  let mesh: Mesh;

  beforeAll(async () => {
    const source = `{% if 'bomb' in messages[0].content %}${ENDLESS}{% endif %}{{ messages[0].content }}`;
    mesh = await Mesh.start(['--model', modelWith(source), '--workers', '1']);
  });

  const chat = async (content: string) => {
    const response = await fetch(`${mesh.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'model', messages: [{ role: 'user', content }], max_tokens: 4 }),
    });
    return { status: response.status, body: await response.text() };
  };

  it('costs that request a clear refusal, and others no health check and no completion', async () => {
    const refused = chat('bomb');
    const healthMs: number[] = [];
    for (const endMs = performance.now() + 4_000; performance.now() < endMs;) {
      const startMs = performance.now();
      expect((await fetch(`${mesh.url}/health/live`)).status).toBe(200);
      healthMs.push(performance.now() - startMs);
      await pause(50);
    }
    expect(await refused).toMatchObject({ status: 400, body: expect.stringMatching(/not done .* 5 s/) as string });
    expect(healthMs.length).toBeGreaterThan(20);
    expect(healthMs.toSorted((a, b) => a - b)[Math.floor(healthMs.length / 2)]).toBeLessThan(50);
    expect(await chat('hi')).toMatchObject({ status: 200 });
  });

  it('leaves no process behind when the coordinator is killed while it runs', async () => {
    const processes = descendantsOf(mesh.up.pid);
    const renderer = processes.find(({ command }) => command.includes('template-process'));
    const coordinator = processes.find(({ command }) => command.includes('main.js coordinator'));
    if (renderer === undefined || coordinator === undefined) expect.fail('no process of templates, or no coordinator');
    const lost = chat('bomb').catch(() => undefined);
    await pause(500);
    process.kill(coordinator.pid, 'SIGKILL');
    await lost;
    await expect.poll(() => isAlive(renderer.pid), { timeout: 20_000, interval: 200 }).toBe(false);
  });
});

describe('a template that cannot render a question', () => {
  it('keeps the coordinator from starting, by name', async () => {
    const up = ExpertmeshProcess.start(
      ['up', '--port', '0', '--grpc-port', '0', '--cache-dir', tempDir()].concat([
        '--model',
        modelWith(ENDLESS),
        '--workers',
        '1',
      ]),
    );
    await up.until(() => up.output.includes('does not render a question'), 'refuses the template');
    expect(up.output).toMatch(/tokenizer_config.json: the chat template does not render a question: .* after 5 s/);
  });
});
