import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';
import { Mesh } from '@expertmesh/test-kit/mesh';
import { ExpertmeshProcess } from '@expertmesh/test-kit/process';
import { hasSoftwareVulkan, NO_VULKAN, useSoftwareVulkan } from '@expertmesh/test-kit/software-vulkan';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { ask } from './ask.js';

/** A driver without a GPU is slow; the longest prompt has more rows than attention takes at a time on it. */
const MAX_ANSWER_TOKENS = 20;
const NUM_QUESTIONS = 3;

const UP_WEBGPU = ['up', '--port', '0', '--grpc-port', '0', '--workers', '1', '--ep', 'webgpu'];

describe.skipIf(!hasSoftwareVulkan)('coordinator and worker on WebGPU', () => {
  const cacheDir = tempDir();
  let mesh: Mesh;
  beforeAll(async () => {
    useSoftwareVulkan();
    const flags = ['--ep', 'webgpu', '--workers', '1', '--speculative', 'prompt-lookup', '--micro-batches', '2'];
    mesh = await Mesh.start([...flags, '--cache-dir', cacheDir]);
  });
  afterAll(async () => {
    expect(await mesh.up.stop('SIGTERM')).toBe(0);
  });

  it('say so', () => {
    expect(mesh.up.output).toContain('compute  webgpu: --ep webgpu asks for it');
  });

  it('give the same greedy answers as transformers, two at once, and free the KV cache', async () => {
    const short = loadDemoAnswers().filter(({ answerTokenIds }) => answerTokenIds.length <= MAX_ANSWER_TOKENS);
    const longestPrompt = short.reduce((a, b) => (b.promptTokenIds.length > a.promptTokenIds.length ? b : a));
    const questions = [longestPrompt, ...short.slice(0, NUM_QUESTIONS - 1)];
    const different: string[] = [];
    const queue = [...questions];
    const askAll = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift())
        if ((await ask(mesh, next.question, next.enableThinking)).raw !== next.answerText)
          different.push(next.question);
    };
    await Promise.all([askAll(), askAll()]);
    expect(different).toEqual([]);
    await mesh.up.until(async () => (await mesh.stats()).engine.kvCacheUsedBytes === 0, 'has freed the KV cache');
  });

  it('are refused when the GPU cannot hold the model', async () => {
    const up = ExpertmeshProcess.start([...UP_WEBGPU, '--cache-dir', cacheDir, '--gpu-memory-bytes', '10MB']);
    expect(await up.exited()).toBe(1);
    expect(up.output).toMatch(/the GPU is to hold .* its budget is 10.0 MB \(--gpu-memory-bytes 10000000\)/);
  });
});

it('refuses a GPU without a driver, and says what to do', async () => {
  const before = { ...process.env };
  Object.assign(process.env, NO_VULKAN);
  const up = ExpertmeshProcess.start([...UP_WEBGPU, '--cache-dir', tempDir()]);
  Object.assign(process.env, before);
  expect(await up.exited()).toBe(1);
  expect(up.output).toMatch(/--ep webgpu does not work here: .*; install the driver .* or use --ep auto/);
});
