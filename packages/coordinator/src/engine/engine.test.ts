import { afterEach, describe, expect, it } from 'vitest';
import { BlockPool } from '../kv/block-pool.js';
import { AnswerSampler } from '../sampling/answer-sampler.js';
import { Drafter } from '../speculation/drafter.js';
import { Engine, type EngineOptions } from './engine.js';
import { type EngineEvent } from './engine-event.js';
import { type Chunk } from './forward.js';
import { CountingForward, request, VOCAB } from '@expertmesh/test-kit/counting-forward';

const NUM_BLOCKS = 32;
/** A prompt that shares no block with one of another `first`. */
const promptOf = (first: number, numTokens: number): number[] =>
  Array.from({ length: numTokens }, (_, index) => (index === 0 ? first : 9));

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(options: Partial<EngineOptions> = {}): {
  engine: Engine;
  forward: CountingForward;
  events: EngineEvent[];
  step: () => Promise<readonly Chunk[]>;
  tokensOf: (id: number) => number[];
  endOf: (id: number) => string | undefined;
} {
  const forward = new CountingForward();
  const events: EngineEvent[] = [];
  const engine = new Engine({
    vocabSize: VOCAB,
    pool: new BlockPool(NUM_BLOCKS),
    memory: { blockBytes: 100, copyBlock: () => undefined },
    createSampler: (submitted, seed) => new AnswerSampler({ request: submitted, seed }),
    scorePrompt: (logits, tokenId) => ({ tokenId, logprob: logits[tokenId] ?? NaN, rank: 1, top: [] }),
    prefixCache: true,
    forward,
    maxBatchTokens: 8,
    maxStepStretch: 3,
    maxNumSeqs: 4,
    maxWaitingSeqs: 1024,
    maxModelLen: 256,
    emit: (batch) => events.push(...batch),
    randomSeed: () => 1,
    nowMs: () => forward.nowMs,
    ...options,
  });
  engines.push({ engine, forward });
  const step = async (): Promise<readonly Chunk[]> => {
    await turn();
    const pass = forward.passes.shift();
    if (pass === undefined) throw new Error('no pass is under way');
    pass.finish();
    await turn();
    return pass.chunks;
  };
  const tokensOf = (id: number): number[] =>
    events.flatMap((event) => (event.type === 'output' && event.id === id ? event.output.tokenIds : []));
  const endOf = (id: number): string | undefined =>
    events
      .filter((event) => event.id === id)
      .map((event) => (event.type === 'failed' ? event.error.code : event.output.finishReason))
      .at(-1);
  return { engine, forward, events, step, tokensOf, endOf };
}

const engines: { engine: Engine; forward: CountingForward }[] = [];
afterEach(async () => {
  for (const { engine, forward } of engines.splice(0)) {
    const closed = engine.close();
    while (forward.passes.length > 0) forward.passes.shift()?.finish();
    await closed;
  }
});

describe('engine', () => {
  it('generates until max_tokens and then frees the KV cache', async () => {
    const { engine, step, tokensOf, endOf } = setUp();
    engine.submit(1, request([3, 4]));
    for (let i = 0; i < 3; i++) await step();
    expect(tokensOf(1)).toEqual([5, 6, 7]);
    expect(endOf(1)).toBe('length');
    expect(engine.stats()).toMatchObject({
      numRunning: 0,
      kvCacheUsedBytes: 0,
      numGenerationTokens: 3,
      numPromptTokens: 2,
    });
  });

  it('ends a sequence at a stop token and reports that token', async () => {
    const { engine, step, tokensOf, endOf } = setUp();
    engine.submit(1, request([3], { stopTokenIds: [5], maxTokens: 10 }));
    await step();
    await step();
    expect(tokensOf(1)).toEqual([4, 5]);
    expect(endOf(1)).toBe('stop');
  });

  it('lets a sequence join between steps and shares the step', async () => {
    const { engine, step } = setUp();
    engine.submit(1, request([1]));
    await turn();
    engine.submit(2, request([8]));
    expect(await step()).toHaveLength(1);
    expect((await step()).map((chunk) => chunk.tokenIds)).toEqual([[2], [8]]);
    expect(engine.stats().maxBatchSize).toBe(2);
  });

  it('computes a long prompt in chunks while others keep decoding', async () => {
    const { engine, step, tokensOf } = setUp();
    engine.submit(1, request([1], { maxTokens: 5 }));
    await step();
    engine.submit(2, request(Array.from({ length: 12 }, () => 9)));
    await step();
    const sizes: number[][] = [];
    for (let i = 0; i < 3; i++) sizes.push((await step()).map((chunk) => chunk.tokenIds.length));
    expect(sizes).toEqual([
      [1, 3],
      [1, 5],
      [1, 4],
    ]);
    expect(tokensOf(2)).toEqual([10]);
  });

  it('gives prompts as much of a step as keeps it within its bound, and all of it where nothing decodes', async () => {
    const { engine, forward, step } = setUp({ maxBatchTokens: 512 });
    forward.costMs = (numRows) => 9 + numRows;
    engine.submit(1, request(promptOf(1, 200), { maxTokens: 20 }));
    expect((await step()).map((chunk) => chunk.tokenIds.length)).toEqual([200]);
    await step();
    engine.submit(2, request(promptOf(2, 200)));
    await step();
    const sizes: number[] = [];
    for (let i = 0; i < 9; i++) sizes.push((await step())[1]?.tokenIds.length ?? 0);
    expect(sizes.slice(0, 5)).toEqual([3, 5, 8, 12, 18]);
    // A step that decodes takes 10 ms, so one with prompt tokens may take 30: 1 row that decodes and 20 of the prompt.
    for (const size of sizes.slice(4)) expect(size).toBeGreaterThanOrEqual(18);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(21);
  });

  it('learns nothing of how long steps take from one in which a sequence failed', async () => {
    const { engine, forward, step } = setUp({ maxBatchTokens: 512 });
    forward.costMs = () => 10_000;
    forward.failing.add(8);
    engine.submit(1, request([8]));
    await step();
    forward.costMs = (numRows) => 9 + numRows;
    engine.submit(2, request([9], { maxTokens: 20 }));
    await step();
    await step();
    engine.submit(3, request(Array.from({ length: 200 }, () => 9)));
    await step();
    const sizes: number[] = [];
    for (let i = 0; i < 9; i++) sizes.push((await step())[1]?.tokenIds.length ?? 0);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(21);
  });

  it('lets a short prompt begin to decode before a long one that came earlier', async () => {
    const { engine, step, tokensOf } = setUp({ maxBatchTokens: 32 });
    engine.submit(1, request([1], { maxTokens: 200 }));
    await step();
    engine.submit(2, request(Array.from({ length: 200 }, () => 9)));
    engine.submit(3, request([5, 5, 5, 5, 5, 5]));
    for (let i = 0; i < 6; i++) await step();
    expect(tokensOf(3)).toContain(6);
    expect(tokensOf(2)).toEqual([]);
  });

  it('lets a sequence wait until there are blocks for its prompt and a few more', async () => {
    const { engine, step, endOf } = setUp({ pool: new BlockPool(4), maxBatchTokens: 64 });
    engine.submit(1, request(promptOf(1, 40), { maxTokens: 2 }));
    engine.submit(2, request(promptOf(2, 40), { maxTokens: 1 }));
    expect(await step()).toHaveLength(1);
    expect(engine.stats()).toMatchObject({ numRunning: 1, numWaiting: 1, numUsedKvBlocks: 2, kvCacheUsedBytes: 200 });
    await step();
    expect(endOf(1)).toBe('length');
    await step();
    expect(endOf(2)).toBe('length');
    expect(engine.stats().numPreemptions).toBe(0);
  });

  it('refuses a sequence that can never fit and names the numbers', () => {
    const { engine, events } = setUp({ pool: new BlockPool(2) });
    engine.submit(1, request([1], { maxTokens: 100 }));
    engine.submit(2, request([1], { maxTokens: 1000 }));
    engine.submit(3, request([]));
    engine.submit(4, request([VOCAB]));
    engine.submit(5, request(promptOf(1, 65), { maxTokens: 1 }));
    engine.submit(6, request([1], { maxTokens: 0 }));
    engine.submit(7, request([1], { numAnswers: 0 }));
    expect(events.map((event) => event.type === 'failed' && event.error.message)).toEqual([
      expect.stringMatching(/101 tokens .* more than the 64 that the whole KV cache .*--kv-cache-bytes/),
      expect.stringContaining('context length of 256'),
      expect.stringContaining('no tokens'),
      expect.stringContaining('token id 16 is not in the vocabulary (0 to 15)'),
      expect.stringMatching(/prompt has 65 tokens, the whole KV cache has room for 64/),
      expect.stringContaining('max_tokens must be an integer of at least 1, is 0'),
      expect.stringContaining('n must be an integer from 1 to 128, is 0'),
    ]);
  });

  it('ends a cancelled sequence silently, also in the middle of a step, and frees its KV cache', async () => {
    const { engine, step, events } = setUp();
    engine.submit(1, request([1]));
    await turn();
    engine.cancel(1);
    await step();
    expect(events).toEqual([]);
    expect(engine.stats()).toMatchObject({ numRunning: 0, numWaiting: 0, kvCacheUsedBytes: 0 });
  });

  it('frees the blocks of a sequence between steps, never under one that may still write them', async () => {
    const pool = new BlockPool(4);
    const { engine, step } = setUp({ pool });
    engine.submit(1, request([1]));
    await turn();
    engine.cancel(1);
    await turn();
    expect(pool.numReferenced).toBe(1);
    await step();
    expect(pool.numReferenced).toBe(0);
  });

  it('fails only the sequences whose experts failed', async () => {
    const { engine, forward, step, tokensOf, endOf } = setUp();
    forward.failing.add(9);
    engine.submit(1, request([1]));
    engine.submit(2, request([9]));
    for (let i = 0; i < 3; i++) await step();
    expect(endOf(2)).toBe('unavailable');
    expect(tokensOf(1)).toEqual([2, 3, 4]);
    expect(engine.stats()).toMatchObject({ numFailedSequences: 1, kvCacheUsedBytes: 0 });
  });

  it('fails the sequences of a step that broke and goes on with the next', async () => {
    const { engine, forward, step, endOf } = setUp();
    forward.broken = true;
    engine.submit(1, request([1]));
    await step();
    expect(endOf(1)).toBe('internal');
    forward.broken = false;
    engine.submit(2, request([1], { maxTokens: 1 }));
    await step();
    expect(endOf(2)).toBe('length');
  });

  it('verifies drafted tokens in one step and keeps those that the model would have chosen', async () => {
    const { engine, forward, step, tokensOf, endOf } = setUp({ drafts: new Drafter(), maxBatchTokens: 64 });
    // The model counts upwards. The context repeats 3 4 5 and then, where it once had 9, the model says 6.
    engine.submit(1, request([3, 4, 5, 9, 9, 2, 3], { maxTokens: 6 }));
    await step();
    expect(tokensOf(1)).toEqual([4]);
    const drafted = (await step())[0]?.tokenIds ?? [];
    expect(drafted.slice(0, 3)).toEqual([4, 5, 9]);
    expect(tokensOf(1)).toEqual([4, 5, 6]);
    while (endOf(1) === undefined) await step();
    expect(tokensOf(1)).toEqual([4, 5, 6, 7, 8, 9]);
    expect(forward.positionsWereInOrder).toBe(true);
    expect(engine.stats().numAcceptedTokens).toBeGreaterThanOrEqual(1);
    expect(engine.stats().kvCacheUsedBytes).toBe(0);
  });

  it('ends at a stop token inside a draft', async () => {
    const { engine, step, tokensOf, endOf } = setUp({ drafts: new Drafter(), maxBatchTokens: 64 });
    engine.submit(1, request([3, 4, 5, 6, 7, 0, 2, 3], { maxTokens: 6, stopTokenIds: [6] }));
    while (endOf(1) === undefined) await step();
    expect(tokensOf(1)).toEqual([4, 5, 6]);
    expect(endOf(1)).toBe('stop');
  });

  it('runs a job between steps', async () => {
    const { engine, step } = setUp();
    engine.submit(1, request([1]));
    await turn();
    let ran = false;
    const job = engine.betweenSteps(() => {
      ran = true;
      return Promise.resolve();
    });
    expect(ran).toBe(false);
    await step();
    await job;
    expect(ran).toBe(true);
  });

  it('fails what is left when it closes', async () => {
    const { engine, forward, endOf } = setUp();
    engine.submit(1, request([1]));
    await turn();
    const closed = engine.close();
    forward.passes.shift()?.finish();
    await closed;
    expect(endOf(1)).toBe('unavailable');
  });
});
