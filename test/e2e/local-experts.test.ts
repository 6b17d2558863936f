import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';
import { Mesh } from '@expertmesh/test-kit/mesh';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { startWorkers, type WorkerFleet } from '@expertmesh/test-kit/worker-fleet';
import { ask } from './ask.js';

const NUM_QUESTIONS = 20;

describe('expertmesh up --workers 0', () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await Mesh.start(['--workers', '0']);
  });
  afterAll(async () => {
    expect(await mesh.up.stop('SIGINT')).toBe(0);
  });

  it('says that the coordinator computes the experts, and starts no worker', async () => {
    expect(mesh.up.output).toContain('none: the coordinator computes the experts');
    expect((await mesh.stats()).cluster.workers).toEqual([]);
  });

  it('gives the same answers as transformers', async () => {
    for (const { question, enableThinking, answerText } of loadDemoAnswers().slice(0, NUM_QUESTIONS))
      expect((await ask(mesh, question, enableThinking)).raw).toBe(answerText);
  });
});

describe('a coordinator with local experts and one worker', () => {
  const storeDir = join(tempDir(), 'store');
  let fleet: WorkerFleet;
  let coordinator: ExpertmeshProcess;
  let httpUrl = '';

  beforeAll(async () => {
    const hfDir = join(import.meta.dirname, '../../models/qwen3-moe-demo');
    await packCheckpoint({ hfDir, storeDir, bits: 8, blockSize: 32 });
    fleet = await startWorkers(storeDir, 1);
    const workers = fleet.controlAddresses.map(({ host, port }) => `${host}:${String(port)}`).join();
    const ports = ['--port', '0', '--grpc-port', '0'];
    coordinator = ExpertmeshProcess.start(
      ['coordinator', '--store', storeDir, '--local-experts', '--workers', workers].concat(ports),
    );
    httpUrl = `http://127.0.0.1:${String((await coordinator.listening('coordinator')).httpPort)}`;
    await coordinator.until(isReady, 'is ready');
  });
  afterAll(stopAll);

  it('sends the worker its half of the experts, and needs it', async () => {
    const answer = await fetch(`${httpUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'store',
        messages: [{ role: 'user', content: 'What is 47 + 85?' }],
        max_tokens: 100,
        temperature: 0,
      }),
    });
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: '132' } }] });
    await fleet.stop();
    await coordinator.until(async () => !(await isReady()), 'has noticed', 5_000);
  });

  const isReady = async (): Promise<boolean> => (await fetch(`${httpUrl}/health/ready`)).ok;
});
