import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { descendantsOf } from '@expertmesh/test-kit/child-pids';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

/** All of it with `npm run test:invariance`, the beginning of it otherwise. */
const isWhole = process.env['INVARIANCE'] === 'whole';
const NUM_PROMPTS = isWhole ? 200 : 12;
const WORKER_COUNTS = isWhole ? [1, 2, 3, 5, 8] : [1, 3];
const BATCH_SIZE = 16;
const MAX_TOKENS = 64;
const TIMEOUT_MS = isWhole ? 7_200_000 : 300_000;

/** 4 bits, so that the kernels for few rows and for many have work. */
const cacheDir = tempDir();
const flagsOf = (numWorkers: number): string[] => [
  ...['--workers', String(numWorkers), '--bits', '4', '--kv-dtype', 'fp32', '--numerics', 'invariant'],
  ...['--cache-dir', cacheDir],
  ...['--survive', numWorkers > 1 ? '1' : '0'],
];
/**
 * A block has 65,536 bytes with fp32 keys and values, and one is the canary's: too few for the answers of three prompts
 * that are computed together.
 */
const TOO_FEW_BLOCKS = ['--kv-cache-bytes', String(16 * 65_536), '--max-model-len', '384'];

/** More than two blocks of the KV cache, which the prefix cache has from the second prompt on. */
const PREAMBLE = Array.from({ length: 24 }, (_, index) => `word ${String(7 * index)} is ${String(index % 13)}`).join();
const prompts = loadDemoAnswers()
  .slice(0, NUM_PROMPTS)
  .map(({ question }, index) => `${PREAMBLE} ${question} Item ${String(index)}.`);

/** The tokens and their log probabilities, every digit of them. */
async function complete(mesh: Mesh, prompt: string, fields: object = {}): Promise<string> {
  const { choices } = await mesh.client.completions.create({
    model: DEMO_MODEL,
    prompt,
    temperature: 0,
    max_tokens: MAX_TOKENS,
    logprobs: 1,
    ...{ ignore_eos: true },
    ...fields,
  });
  return JSON.stringify([choices[0]?.text, choices[0]?.logprobs?.token_logprobs]);
}

async function alone(mesh: Mesh): Promise<string[]> {
  const answers: string[] = [];
  for (const prompt of prompts) answers.push(await complete(mesh, prompt));
  return answers;
}

async function inBatches(mesh: Mesh): Promise<string[]> {
  const answers: string[] = [];
  for (let start = 0; start < prompts.length; start += BATCH_SIZE)
    answers.push(
      ...(await Promise.all(prompts.slice(start, start + BATCH_SIZE).map((prompt) => complete(mesh, prompt)))),
    );
  return answers;
}

async function whileWorkerDies(mesh: Mesh): Promise<string[]> {
  const victim = descendantsOf(mesh.up.pid).find(({ command }) => command.includes('main.js worker'));
  if (victim === undefined) throw new Error('no worker process under expertmesh up');
  const answers = inBatches(mesh);
  await mesh.up.until(async () => (await mesh.stats()).engine.numRunning > 0, 'is computing');
  process.kill(victim.pid, 'SIGKILL');
  return answers;
}

async function metric(mesh: Mesh, name: string): Promise<number> {
  // The engine tells its figures every 100 ms.
  await setTimeout(300);
  const text = await (await fetch(`${mesh.url}/metrics`)).text();
  return Number(new RegExp(`^expertmesh:${name} (.*)$`, 'm').exec(text)?.[1]);
}

describe('answers with --numerics invariant', () => {
  afterEach(stopAll);
  let expected: string[] | undefined;

  it.each(WORKER_COUNTS)(
    'have the same tokens and log probabilities with %i workers, whatever happens',
    async (numWorkers) => {
      const mesh = await Mesh.start(flagsOf(numWorkers));
      const answers = await alone(mesh);
      expected ??= answers;
      expect(answers).toEqual(expected);
      expect(await inBatches(mesh)).toEqual(expected);
      expect(await metric(mesh, 'prefix_cache_hits_total')).toBeGreaterThan(0);
      if (numWorkers > 1) expect(await whileWorkerDies(mesh)).toEqual(expected);
      await mesh.up.stop('SIGTERM');

      const small = await Mesh.start([...flagsOf(numWorkers), ...TOO_FEW_BLOCKS, '--speculative', 'prompt-lookup']);
      expect(await inBatches(small)).toEqual(expected);
      expect(await metric(small, 'num_preemptions_total')).toBeGreaterThan(0);
      expect((await small.stats()).engine.numAcceptedTokens).toBeGreaterThan(0);
      await small.up.stop('SIGTERM');
    },
    TIMEOUT_MS,
  );
});
