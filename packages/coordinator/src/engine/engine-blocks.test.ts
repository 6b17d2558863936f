import { describe, expect, it } from 'vitest';
import { BLOCK_MODEL_VOCAB, BlockModel } from '@expertmesh/test-kit/block-model';
import { request } from '@expertmesh/test-kit/counting-forward';
import { BlockPool } from '../kv/block-pool.js';
import { AnswerSampler } from '../sampling/answer-sampler.js';
import { answerSeed } from '../sampling/random.js';
import { type SequenceOutput, type SequenceRequest } from './engine-client.js';
import { Engine, type EngineOptions } from './engine.js';
import { type EngineEvent } from './engine-event.js';
import { type Chunk } from './forward.js';

interface Ran {
  readonly engine: Engine;
  readonly steps: Chunk[][];
  /** Of all requests, in the order of their ends. */
  readonly ended: number[];
  readonly outputsOf: (id: number) => SequenceOutput[];
  readonly tokensOf: (id: number, answerIndex?: number) => number[];
  readonly errorOf: (id: number) => string | undefined;
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Runs requests, all of them there at once, to their ends. */
async function run(
  requests: readonly SequenceRequest[],
  options: Partial<EngineOptions> & { readonly numBlocks?: number } = {},
): Promise<Ran> {
  const pool = new BlockPool(options.numBlocks ?? 64);
  const model = new BlockModel(pool.numBlocks);
  const events: EngineEvent[] = [];
  const steps: Chunk[][] = [];
  let nowMs = 0;
  const engine = new Engine({
    vocabSize: BLOCK_MODEL_VOCAB,
    pool,
    memory: model,
    createSampler: (submitted, seed) => new AnswerSampler({ request: submitted, seed }),
    scorePrompt: (logits, tokenId) => ({ tokenId, logprob: logits[tokenId] ?? NaN, rank: 1, top: [] }),
    prefixCache: true,
    forward: {
      run: (chunks) => {
        nowMs += 10;
        steps.push(chunks.map((chunk) => ({ ...chunk })));
        return Promise.resolve(new Map(chunks.map((chunk) => [chunk, model.compute(chunk)])));
      },
    },
    maxBatchTokens: 512,
    maxStepStretch: 3,
    maxNumSeqs: 16,
    maxWaitingSeqs: 1024,
    maxModelLen: 2048,
    emit: (batch) => events.push(...batch),
    randomSeed: () => 1,
    nowMs: () => nowMs,
    ...options,
  });
  for (const [id, submitted] of requests.entries()) engine.submit(id, submitted);
  await turns();
  const outputsOf = (id: number): SequenceOutput[] =>
    events.flatMap((event) => (event.type === 'output' && event.id === id ? [event.output] : []));
  return {
    engine,
    steps,
    outputsOf,
    ended: events
      .filter((event) => event.type === 'failed' || event.output.finishReason !== undefined)
      .map(({ id }) => id),
    tokensOf: (id, answerIndex = 0) =>
      outputsOf(id).flatMap((output) => ((output.answerIndex ?? 0) === answerIndex ? output.tokenIds : [])),
    errorOf: (id) =>
      events.flatMap((event) => (event.type === 'failed' && event.id === id ? [event.error.code] : []))[0],
  };
}

const tokens = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => (first + 5 * index) % (BLOCK_MODEL_VOCAB - 1));

const numRows = (steps: readonly Chunk[][]): number =>
  steps.flat().reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);

describe('blocks run out', () => {
  const growing = [0, 1, 2, 3].map((first) => request(tokens(first, 20), { maxTokens: 200 }));

  it('makes the newest sequences give way, and all of them end with the tokens that they have alone', async () => {
    const together = await run(growing, { numBlocks: 12 });
    expect(together.engine.stats().numPreemptions).toBeGreaterThan(0);
    expect(together.ended[0]).toBe(0);
    for (const [id, alone] of growing.entries())
      expect(together.tokensOf(id)).toEqual((await run([alone])).tokensOf(0));
    expect(together.engine.stats()).toMatchObject({ numRunning: 0, numWaiting: 0, numUsedKvBlocks: 0 });
  });

  it('makes those of the lowest priority give way first, however old they are', async () => {
    const [first, ...others] = growing;
    const { ended } = await run([{ ...(first ?? request([1])), priority: 1 }, ...others], { numBlocks: 12 });
    expect(ended.at(-1)).toBe(0);
  });

  it('reserves nothing for tokens that may never come', async () => {
    const roomy = tokens(0, 16).map((first) => request([first], { maxTokens: 400, stopTokenIds: tokens(0, 12) }));
    const { engine } = await run(roomy, { numBlocks: 40 });
    expect(engine.stats()).toMatchObject({ maxBatchSize: 16, numPreemptions: 0 });
  });
});

describe('prefix cache', () => {
  const system = tokens(3, 320);
  const turn = (first: number): SequenceRequest => request([...system, ...tokens(first, 5)]);

  it('computes a prefix once that requests share which come together', async () => {
    const requests = [0, 1, 2, 3, 4, 5, 6, 7].map(turn);
    const { steps, engine, tokensOf } = await run(requests, { maxBatchTokens: 128 });
    expect(numRows(steps)).toBeLessThan(320 + 8 * (5 + 3) + 1);
    expect(engine.stats()).toMatchObject({ numPrefixQueryTokens: 8 * 325, numCachedPromptTokens: 7 * 320 });
    const without = await run(requests, { prefixCache: false });
    expect(numRows(without.steps)).toBeGreaterThan(8 * 320);
    for (const id of requests.keys()) expect(tokensOf(id)).toEqual(without.tokensOf(id));
  });

  it('says how many tokens of a prompt were there', async () => {
    const { engine, outputsOf } = await run([turn(1)]);
    engine.submit(1, turn(2));
    engine.submit(2, turn(1));
    await turns();
    expect([0, 1, 2].map((id) => outputsOf(id)[0]?.numCachedTokens)).toEqual([undefined, 320, 320]);
  });

  it('always computes the last token of a prompt, also where all of its blocks are known', async () => {
    const whole = request(tokens(1, 64));
    const { engine, steps, outputsOf, tokensOf } = await run([whole]);
    engine.submit(1, whole);
    await turns();
    expect(outputsOf(1)[0]?.numCachedTokens).toBe(32);
    expect(tokensOf(1)).toEqual(tokensOf(0));
    expect(steps.at(-3)?.[0]?.tokenIds).toHaveLength(32);
  });

  it('finds the answer, too, when a conversation goes on', async () => {
    const first = await run([request(tokens(1, 60), { maxTokens: 40 })]);
    first.engine.submit(1, request([...tokens(1, 60), ...first.tokensOf(0), 4, 5, 6]));
    await turns();
    expect(first.outputsOf(1)[0]?.numCachedTokens).toBe(96);
  });

  it('shares nothing between tenants or salts', async () => {
    const { engine } = await run([turn(1)]);
    engine.submit(1, { ...turn(1), tenant: 'x' });
    engine.submit(2, { ...turn(1), cacheSalt: 'x' });
    await turns();
    expect(engine.stats().numCachedPromptTokens).toBe(0);
    engine.submit(3, { ...turn(1), cacheSalt: 'x' });
    await turns();
    expect(engine.stats().numCachedPromptTokens).toBe(320);
  });
});

describe('a prompt that gives way', () => {
  it('never has more cached tokens than tokens', async () => {
    const known = tokens(3, 320);
    const { engine, outputsOf } = await run([request(known)], { numBlocks: 17, maxBatchTokens: 2, maxNumSeqs: 2 });
    engine.submit(1, request(tokens(1, 10), { maxTokens: 300, stopTokenIds: [] }));
    engine.submit(2, request([...known, ...tokens(2, 100)]));
    await turns();
    expect(engine.stats().numPreemptions).toBeGreaterThan(0);
    expect(outputsOf(2)[0]?.numCachedTokens).toBeGreaterThan(0);
    expect(outputsOf(2)[0]?.numCachedTokens).toBeLessThanOrEqual(420);
  });
});

describe('forced tokens', () => {
  const prompt = request(tokens(2, 20), { maxTokens: 100, stopTokenIds: [] });
  const forcing =
    (forced: (numTokens: number) => readonly number[]): EngineOptions['createSampler'] =>
    (submitted, seed) => {
      const sampler = new AnswerSampler({ request: submitted, seed });
      let numTokens = 0;
      return {
        next: (logits) => {
          numTokens += 1;
          return sampler.next(logits);
        },
        forced: (maxTokens) => forced(numTokens).slice(0, maxTokens),
      };
    };

  it('are computed ahead, a bounded number at once, and change nothing', async () => {
    const alone = (await run([prompt])).tokensOf(0);
    const { tokensOf, steps, engine } = await run([prompt], { createSampler: forcing((from) => alone.slice(from)) });
    expect(tokensOf(0)).toEqual(alone);
    expect(steps.map(([chunk]) => chunk?.tokenIds.length)).toEqual([20, 65, 34]);
    expect(engine.stats()).toMatchObject({ numDraftedTokens: 97, numAcceptedTokens: 97, numUsedKvBlocks: 0 });
  });

  it('are hardly tried where the model writes the same in other tokens', async () => {
    const alone = (await run([prompt])).tokensOf(0);
    const refused = BLOCK_MODEL_VOCAB - 2;
    const { tokensOf, engine } = await run([prompt], {
      createSampler: forcing(() => Array.from({ length: 99 }, () => refused)),
    });
    expect(tokensOf(0)).toEqual(alone);
    expect(engine.stats().numDraftedTokens).toBeLessThan(64 + 2 * 100);
  });
});

describe('several answers', () => {
  const sampling = { ...request([1]).sampling, temperature: 1, seed: 7 };

  it('come from one prefill, each as a request with its own seed would have it', async () => {
    const prompt = tokens(2, 45);
    const { tokensOf, steps, engine } = await run([
      request(prompt, { numAnswers: 4, maxTokens: 20, sampling, stopTokenIds: [] }),
    ]);
    expect(numRows(steps)).toBe(45 + 4 * 19);
    for (let answerIndex = 0; answerIndex < 4; answerIndex++) {
      const alone = request(prompt, { maxTokens: 20, sampling: { ...sampling, seed: answerSeed(7, 0, answerIndex) } });
      expect(tokensOf(0, answerIndex)).toEqual((await run([alone])).tokensOf(0));
    }
    expect(new Set([0, 1, 2, 3].map((answerIndex) => tokensOf(0, answerIndex).join())).size).toBe(4);
    expect(engine.stats().numUsedKvBlocks).toBe(0);
  });

  it('wait for places where there are more of them', async () => {
    const { tokensOf, engine } = await run([request(tokens(2, 45), { numAnswers: 5, sampling })], { maxNumSeqs: 2 });
    for (let answerIndex = 0; answerIndex < 5; answerIndex++) expect(tokensOf(0, answerIndex)).toHaveLength(3);
    expect(engine.stats().maxBatchSize).toBe(2);
  });

  it('end with the tokens that they have alone, where there are blocks for little more than one of them', async () => {
    const options = { maxTokens: 150, sampling, stopTokenIds: [] };
    const crowded = await run([request(tokens(2, 45), { ...options, numAnswers: 4 })], { numBlocks: 8 });
    const roomy = await run([request(tokens(2, 45), { ...options, numAnswers: 4 })]);
    expect(crowded.engine.stats().numPreemptions).toBeGreaterThan(0);
    for (let answerIndex = 0; answerIndex < 4; answerIndex++)
      expect(crowded.tokensOf(0, answerIndex)).toEqual(roomy.tokensOf(0, answerIndex));
    expect(crowded.engine.stats()).toMatchObject({ numRunning: 0, numWaiting: 0, numUsedKvBlocks: 0 });
  });

  it('give all their blocks back where no first token can be chosen', async () => {
    const controls = { allowedTokenIds: [3], badWords: [[3]] };
    const { errorOf, engine } = await run([
      request(tokens(2, 45), { numAnswers: 5, maxTokens: 20, controls, stopTokenIds: [] }),
    ]);
    expect(errorOf(0)).toBe('invalid_argument');
    expect(engine.stats()).toMatchObject({ numRunning: 0, numWaiting: 0, numUsedKvBlocks: 0 });
  });
});

describe('log-probabilities of a prompt', () => {
  it('are computed for every token, although its blocks are known, and without an answer if none is', async () => {
    const prompt = tokens(1, 100);
    const { engine, outputsOf, steps } = await run([request(prompt)]);
    engine.submit(1, request(prompt, { maxTokens: 0, logprobs: { prompt: 0 } }));
    await turns();
    expect(outputsOf(1)).toHaveLength(1);
    const [output] = outputsOf(1);
    expect(output).toMatchObject({ tokenIds: [], finishReason: 'length' });
    expect(output?.promptLogprobs?.map((scored) => scored?.tokenId)).toEqual([undefined, ...prompt.slice(1)]);
    expect(steps.slice(-2).map(([chunk]) => chunk?.numLogits)).toEqual([64, 36]);
  });
});

describe('waiting', () => {
  it('ends with a deadline, also before there was a place', async () => {
    const long = request(tokens(1, 5), { maxTokens: 50 });
    const { errorOf, tokensOf } = await run([{ ...long, timeoutMs: 100 }, { ...long, timeoutMs: 50 }, long], {
      maxNumSeqs: 1,
    });
    expect([errorOf(0), errorOf(1), errorOf(2)]).toEqual(['deadline_exceeded', 'deadline_exceeded', undefined]);
    expect(tokensOf(0).length).toBeLessThan(12);
    expect(tokensOf(1)).toEqual([]);
    expect(tokensOf(2)).toHaveLength(50);
  });

  it('lets no flood of one tenant keep another from its turn', async () => {
    const flood = Array.from({ length: 40 }, () => request(tokens(1, 5), { tenant: 'flood', maxTokens: 10 }));
    const { ended } = await run([...flood, request(tokens(1, 5), { tenant: 'other', maxTokens: 10 })], {
      maxNumSeqs: 2,
    });
    expect(ended.indexOf(40)).toBeLessThan(5);
  });

  it('lets lower numbers of priority go first, which take places from others', async () => {
    const long = request(tokens(1, 5), { maxTokens: 100 });
    const { engine, ended, tokensOf } = await run([long, long, { ...long, priority: -1, maxTokens: 5 }], {
      maxNumSeqs: 2,
    });
    expect(ended).toEqual([2, 0, 1]);
    expect(tokensOf(1)).toEqual(tokensOf(0));
    expect(engine.stats().numPreemptions).toBe(0);
  });
});
