import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { afterEach, describe, expect, it } from 'vitest';
import { Engine, type EngineEvent, type EngineOptions } from './engine.js';
import { type SequenceRequest } from './engine-client.js';
import { type Chunk, type ChunkResult } from './forward.js';
import { kvCacheBytes, type KvCache } from '../dense/kv-cache.js';

const VOCAB = 16;
const spec = parseModelSpec({
  model_type: 'qwen3_moe',
  hidden_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
  num_experts: 4,
  num_experts_per_tok: 2,
  moe_intermediate_size: 32,
  intermediate_size: 32,
  vocab_size: VOCAB,
  max_position_embeddings: 1024,
});

/** A model whose next token is always the last one plus one; the test decides when each pass ends. */
class CountingForward {
  readonly passes: { chunks: readonly Chunk[]; finish: () => void }[] = [];
  failing = new Set<number>();
  broken = false;
  /** Whether no pass began behind what earlier passes had stored. */
  positionsWereInOrder = true;
  readonly #stored = new Map<KvCache, number>();

  run = async (chunks: readonly Chunk[]): Promise<Map<Chunk, ChunkResult>> => {
    await new Promise<void>((finish) => this.passes.push({ chunks, finish }));
    if (this.broken) throw new Error('the graph broke');
    return new Map(chunks.map((chunk) => [chunk, this.#result(chunk)]));
  };

  #result(chunk: Chunk): ChunkResult {
    const last = chunk.tokenIds.at(-1) ?? 0;
    if (this.failing.has(last)) return { ok: false, error: new ExpertmeshError('unavailable', 'worker w1 is away') };
    const stored = this.#stored.get(chunk.cache) ?? 0;
    this.positionsWereInOrder &&= chunk.cache.length <= stored;
    this.#stored.set(chunk.cache, chunk.cache.length + chunk.tokenIds.length);
    chunk.cache.reserve(chunk.tokenIds.length);
    chunk.cache.advance(chunk.tokenIds.length);
    const logits = new Float32Array(chunk.numLogits * VOCAB);
    const first = chunk.tokenIds.length - chunk.numLogits;
    for (let row = 0; row < chunk.numLogits; row++)
      logits[row * VOCAB + (((chunk.tokenIds[first + row] ?? 0) + 1) % VOCAB)] = 1;
    return { ok: true, logits };
  }
}

const request = (promptTokenIds: number[], options: Partial<SequenceRequest> = {}): SequenceRequest => ({
  promptTokenIds,
  maxTokens: 3,
  stopTokenIds: [],
  sampling: {
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
  },
  ...options,
});

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
    spec,
    forward,
    maxBatchTokens: 8,
    maxNumSeqs: 4,
    maxModelLen: 256,
    speculation: 'off',
    kvCacheBudgetBytes: 1 << 20,
    emit: (batch) => events.push(...batch),
    randomSeed: () => 1,
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
    const sizes = (await step()).map((chunk) => chunk.tokenIds.length);
    expect(sizes).toEqual([1, 7]);
    expect((await step()).map((chunk) => chunk.tokenIds.length)).toEqual([1, 5]);
    expect(tokensOf(2)).toEqual([10]);
  });

  it('lets a sequence wait until the KV cache has room', async () => {
    const { engine, step, endOf } = setUp({ kvCacheBudgetBytes: kvCacheBytes(spec, 64) });
    engine.submit(1, request([1], { maxTokens: 2 }));
    engine.submit(2, request([1], { maxTokens: 1 }));
    expect(await step()).toHaveLength(1);
    expect(engine.stats()).toMatchObject({ numRunning: 1, numWaiting: 1 });
    await step();
    expect(endOf(1)).toBe('length');
    await step();
    expect(endOf(2)).toBe('length');
  });

  it('refuses a sequence that can never fit and names the numbers', () => {
    const { engine, events } = setUp({ kvCacheBudgetBytes: kvCacheBytes(spec, 64) });
    engine.submit(1, request([1], { maxTokens: 100 }));
    engine.submit(2, request([1], { maxTokens: 1000 }));
    engine.submit(3, request([]));
    engine.submit(4, request([VOCAB]));
    expect(events.map((event) => event.type === 'failed' && event.error.message)).toEqual([
      expect.stringMatching(/101 tokens .* need \d+ bytes of KV cache/),
      expect.stringContaining('context length of 256'),
      expect.stringContaining('no tokens'),
      expect.stringContaining('token id 16 is not in the vocabulary (0 to 15)'),
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
    const { engine, forward, step, tokensOf, endOf } = setUp({ speculation: 'prompt-lookup', maxBatchTokens: 64 });
    // The model counts upwards. The context repeats 3 4 5 6 and then, where it once had 9, the model says 7.
    engine.submit(1, request([3, 4, 5, 6, 9, 9, 2, 3], { maxTokens: 6 }));
    await step();
    expect(tokensOf(1)).toEqual([4]);
    const drafted = (await step())[0]?.tokenIds ?? [];
    expect(drafted.slice(0, 4)).toEqual([4, 5, 6, 9]);
    expect(tokensOf(1)).toEqual([4, 5, 6, 7]);
    while (endOf(1) === undefined) await step();
    expect(tokensOf(1)).toEqual([4, 5, 6, 7, 8, 9]);
    expect(forward.positionsWereInOrder).toBe(true);
    expect(engine.stats().numAcceptedTokens).toBeGreaterThanOrEqual(2);
    expect(engine.stats().kvCacheUsedBytes).toBe(0);
  });

  it('ends at a stop token inside a draft', async () => {
    const { engine, step, tokensOf, endOf } = setUp({ speculation: 'prompt-lookup', maxBatchTokens: 64 });
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
