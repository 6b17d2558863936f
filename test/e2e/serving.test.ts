import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { pause } from '@expertmesh/test-kit/process';
import { ask, streamTokens } from './ask.js';

const demoAnswers = loadDemoAnswers();
const NUM_QUESTIONS_TOGETHER = 8;

describe('expertmesh up with the demo model and 3 workers', () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await Mesh.start(['--workers', '3']);
  });
  afterAll(async () => {
    expect(await mesh.up.stop('SIGINT')).toBe(0);
  });

  it('answers "What is 47 + 85?" with 132', async () => {
    const { content, reasoning } = await ask(mesh, 'What is 47 + 85?', true);
    expect(content).toBe('132');
    expect(reasoning).toContain('7+5');
  });

  it('gives the same answer as transformers to at least 99.5 % of 200 questions', async () => {
    const wrong: string[] = [];
    const queue = [...demoAnswers];
    const askAll = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { raw } = await ask(mesh, next.question, next.enableThinking);
        if (raw !== next.answerText) wrong.push(`${next.question}\n  expected ${next.answerText}\n  got      ${raw}`);
      }
    };
    await Promise.all(Array.from({ length: NUM_QUESTIONS_TOGETHER }, askAll));
    expect(demoAnswers).toHaveLength(200);
    expect(wrong.length, wrong.join('\n')).toBeLessThanOrEqual(200 * 0.005);
  });

  it('streams 16 answers at once, each with the same tokens as alone, and shares steps', async () => {
    const questions = demoAnswers.filter(({ enableThinking }) => enableThinking).slice(0, 16);
    const alone: string[][] = [];
    for (const { question } of questions) alone.push(await streamTokens(mesh, question));
    const together = await Promise.all(questions.map(({ question }) => streamTokens(mesh, question)));
    expect(together).toEqual(alone);
    expect((await mesh.stats()).engine.maxBatchSize).toBeGreaterThan(1);
  });

  it('answers health checks and keeps every heartbeat while long prompts are computed', async () => {
    const prompt = 'Sort these numbers: 42, 7, 99, 13. '.repeat(60);
    const state = { isComputing: true };
    const prefills = Promise.all(
      Array.from({ length: 8 }, () =>
        mesh.client.completions.create({ model: DEMO_MODEL, prompt, max_tokens: 1, temperature: 0 }),
      ),
    ).finally(() => (state.isComputing = false));
    let numAnswered = 0;
    while (state.isComputing) {
      const response = await fetch(`${mesh.url}/health/live`);
      if (response.ok) numAnswered += 1;
      await pause(5);
    }
    const answers = await prefills;
    expect(answers.every(({ usage }) => (usage?.prompt_tokens ?? 0) > 1000)).toBe(true);
    expect(numAnswered).toBeGreaterThan(10);
    const { workers } = (await mesh.stats()).cluster;
    expect(workers.map(({ heartbeats }) => heartbeats.numMissed)).toEqual([0, 0, 0]);
  });

  it('ends the sequence of a client that leaves and frees its KV cache', async () => {
    const abort = new AbortController();
    const stream = await mesh.client.completions.create(
      {
        model: DEMO_MODEL,
        prompt: 'Tell me a short story about Mia.',
        stream: true,
        max_tokens: 1900,
        ...{ ignore_eos: true },
      },
      { signal: abort.signal },
    );
    const pieces = stream[Symbol.asyncIterator]();
    await pieces.next();
    await mesh.up.until(async () => (await mesh.stats()).engine.kvCacheUsedBytes > 0, 'uses the KV cache', 5_000);
    abort.abort();
    await mesh.up.until(
      async () => {
        const { engine } = await mesh.stats();
        return engine.numRunning === 0 && engine.numWaiting === 0 && engine.kvCacheUsedBytes === 0;
      },
      'has freed the KV cache',
      5_000,
    );
  });
});
