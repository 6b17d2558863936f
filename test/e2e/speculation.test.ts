import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';
import { Mesh } from '@expertmesh/test-kit/mesh';
import { ask } from './ask.js';

describe('prompt lookup and micro-batches', () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await Mesh.start(['--workers', '2', '--speculative', 'prompt-lookup', '--micro-batches', '2']);
  });
  afterAll(async () => {
    expect(await mesh.up.stop('SIGTERM')).toBe(0);
  });

  it('give the same greedy answers as transformers, several at once', async () => {
    const questions = loadDemoAnswers().slice(0, 60);
    const answers: { question: string; raw: string }[] = [];
    const queue = [...questions];
    const askAll = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift())
        answers.push({ question: next.question, raw: (await ask(mesh, next.question, next.enableThinking)).raw });
    };
    await Promise.all([askAll(), askAll(), askAll(), askAll()]);
    const different = questions.filter(
      ({ question, answerText }) => answers.find((answer) => answer.question === question)?.raw !== answerText,
    );
    expect(different).toEqual([]);
    const { engine } = await mesh.stats();
    expect(engine.numAcceptedTokens).toBeGreaterThan(0);
    expect(engine.numDraftedTokens).toBeGreaterThanOrEqual(engine.numAcceptedTokens);
  });
});
