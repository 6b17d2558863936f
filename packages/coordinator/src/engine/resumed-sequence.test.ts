import { expect, it } from 'vitest';
import { CountingForward, request, VOCAB } from '@expertmesh/test-kit/counting-forward';
import { BlockPool } from '../kv/block-pool.js';
import { AnswerSampler } from '../sampling/answer-sampler.js';
import { Engine } from './engine.js';
import { type EngineEvent } from './engine-event.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp() {
  const forward = new CountingForward();
  const events: EngineEvent[] = [];
  const engine = new Engine({
    vocabSize: VOCAB,
    pool: new BlockPool(32),
    memory: { blockBytes: 100, copyBlock: () => undefined },
    createSampler: (submitted, seed) => new AnswerSampler({ request: submitted, seed }),
    scorePrompt: (_, tokenId) => ({ tokenId, logprob: 0, rank: 1, top: [] }),
    prefixCache: true,
    forward,
    maxBatchTokens: 64,
    maxStepStretch: 3,
    maxNumSeqs: 4,
    maxWaitingSeqs: 16,
    maxModelLen: 256,
    emit: (batch) => events.push(...batch),
    randomSeed: () => 1,
    nowMs: () => forward.nowMs,
  });
  const step = async (): Promise<readonly (readonly number[])[]> => {
    await turn();
    const pass = forward.passes.shift();
    if (pass === undefined) throw new Error('no pass is under way');
    pass.finish();
    await turn();
    return pass.chunks.map(({ tokenIds }) => tokenIds);
  };
  return { engine, events, step };
}

it('computes prompt and resumed tokens together, and tells the tokens after them alone', async () => {
  const { engine, events, step } = setUp();
  engine.submit(1, request([3, 4], { resumedTokenIds: [5, 6], maxTokens: 4 }));
  expect(await step()).toEqual([[3, 4, 5, 6]]);
  await step();
  expect(events.map((event) => (event.type === 'output' ? event.output : event.error))).toEqual([
    { tokenIds: [7] },
    { tokenIds: [8], finishReason: 'length' },
  ]);
  expect(engine.stats()).toMatchObject({ numGenerationTokens: 2, kvCacheUsedBytes: 0 });
  await engine.close();
});

it('counts no more cached tokens than the prompt has', async () => {
  const { engine, events, step } = setUp();
  const prompt = Array.from({ length: 40 }, () => 9);
  const resumedTokenIds = Array.from({ length: 30 }, () => 9);
  engine.submit(1, request([...prompt, ...resumedTokenIds], { maxTokens: 1 }));
  await step();
  await step();
  engine.submit(2, request(prompt, { resumedTokenIds, maxTokens: 31 }));
  expect(await step()).toEqual([[9, 9, 9, 9, 9, 9]]);
  expect(events.at(-1)).toMatchObject({ id: 2, output: { numCachedTokens: 40 } });
  await engine.close();
});

it('refuses resumed tokens that leave none to generate, or are none of the model', () => {
  const { engine, events } = setUp();
  engine.submit(1, request([3], { resumedTokenIds: [4, 5, 6], maxTokens: 3 }));
  engine.submit(2, request([3], { resumedTokenIds: [VOCAB], maxTokens: 3 }));
  engine.submit(3, request([3], { resumedTokenIds: [4], numAnswers: 2 }));
  expect(events.map((event) => event.type === 'failed' && event.error.param)).toEqual([
    'resume_token_ids',
    'resume_token_ids',
    'resume_token_ids',
  ]);
  return engine.close();
});
