import { ExpertmeshError, toErrorData, type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { MAX_WAITING_SEQUENCES } from '@expertmesh/shared/limits/limits';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type SequenceCache } from '../kv/sequence-cache.js';
import { type EngineStats, type SequenceOutput, type SequenceRequest } from './engine-client.js';
import { type Chunk, type ChunkResult, type ForwardPass } from './forward.js';
import { PromptBudget } from './prompt-budget.js';
import { requiredKvBytes } from './request-check.js';
import { decodeShares, numAdmitted, promptShares, type StepShare } from './scheduler.js';
import { Drafter, type SpeculationMode } from '../speculation/drafter.js';
import { type Draft } from '../speculation/prompt-lookup.js';
import { Sequence } from './sequence.js';
import { StepTimeModel } from './step-time-model.js';

/** What the engine reports; plain data, so that it can cross a thread border. */
export type EngineEvent =
  | { readonly type: 'output'; readonly id: number; readonly output: SequenceOutput }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorData };

export interface EngineOptions {
  readonly spec: ModelSpec;
  /** Makes the KV cache of a sequence of at most so many tokens. */
  readonly createCache: (maxTokens: number) => SequenceCache;
  readonly forward: Pick<ForwardPass, 'run'>;
  /** Token budget of a step; at least maxNumSeqs. */
  readonly maxBatchTokens: number;
  /** Most that prompts may lengthen a step of sequences that decode, as a multiple of what it takes without them. */
  readonly maxStepStretch: number;
  /** Most sequences that run together. */
  readonly maxNumSeqs: number;
  readonly maxModelLen: number;
  readonly speculation: SpeculationMode;
  readonly kvCacheBudgetBytes: number;
  readonly emit: (events: readonly EngineEvent[]) => void;
  /** Seed of a sequence that names none. */
  readonly randomSeed: () => number;
  /** Monotonic clock. */
  readonly nowMs?: () => number;
}

interface Waiting {
  readonly id: number;
  readonly request: SequenceRequest;
  readonly reservedBytes: number;
}

/**
 * Continuous batching: sequences join and leave between steps. The KV cache that a sequence can need at most is set
 * aside when it starts, so that a running sequence never has to give way; until there is room it waits its turn.
 */
export class Engine {
  readonly #options: EngineOptions;
  #waiting: Waiting[] = [];
  #running: Sequence[] = [];
  #jobs: (() => Promise<void>)[] = [];
  /** Of sequences that have ended: a step that is under way may still use them. */
  #unusedCaches: SequenceCache[] = [];
  #usedBytes = 0;
  #closed = false;
  #wake: () => void = () => undefined;
  readonly #loop: Promise<void>;
  readonly #stepTimes = new StepTimeModel();
  readonly #promptBudget: PromptBudget;
  readonly #drafter: Drafter;
  #counters = {
    numSteps: 0,
    maxBatchSize: 0,
    sumBatchSize: 0,
    numPromptTokens: 0,
    numGenerationTokens: 0,
    numFailedSequences: 0,
  };

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#promptBudget = new PromptBudget(this.#stepTimes, options.maxStepStretch);
    this.#drafter = new Drafter(options.speculation, this.#stepTimes);
    this.#loop = this.#run();
  }

  /** Queues a sequence. Whether it can ever run is checked here; a refusal is a `failed` event like any other. */
  submit(id: number, request: SequenceRequest): void {
    try {
      if (this.#closed) throw new ExpertmeshError('unavailable', 'the engine is shutting down');
      if (this.#waiting.length >= MAX_WAITING_SEQUENCES)
        throw new ExpertmeshError(
          'resource_exhausted',
          `${String(MAX_WAITING_SEQUENCES)} sequences are waiting already; try again later`,
        );
      const reservedBytes = requiredKvBytes(this.#options.spec, request, this.#options);
      this.#waiting.push({ id, request, reservedBytes });
      this.#wake();
    } catch (error) {
      this.#options.emit([{ type: 'failed', id, error: toErrorData(error) }]);
    }
  }

  /** Ends a sequence without a further event and frees its KV cache; an unknown id has ended already. */
  cancel(id: number): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting.id !== id);
    for (const sequence of this.#running.filter((running) => running.id === id)) this.#release(sequence);
  }

  /** Runs a job between two steps, when no forward pass is under way. */
  betweenSteps(job: () => Promise<void>): Promise<void> {
    if (this.#closed) return Promise.reject(new ExpertmeshError('unavailable', 'the engine is shutting down'));
    return new Promise((resolve, reject) => {
      this.#jobs.push(() => job().then(resolve, reject));
      this.#wake();
    });
  }

  stats(): EngineStats {
    return {
      numRunning: this.#running.length,
      numWaiting: this.#waiting.length,
      kvCacheUsedBytes: this.#usedBytes,
      kvCacheBudgetBytes: this.#options.kvCacheBudgetBytes,
      ...this.#counters,
      ...this.#drafter.counters(),
    };
  }

  /** Ends after the step under way; sequences that have not finished fail with `unavailable`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      for (const job of this.#jobs.splice(0)) await job();
      for (const cache of this.#unusedCaches.splice(0)) cache.release();
      this.#admit();
      if (this.#running.length === 0) await this.#idle();
      else await this.#step();
    }
    const error = { code: 'unavailable', message: 'the coordinator is shutting down' } as const;
    const left = [...this.#running, ...this.#waiting];
    this.#options.emit(left.map(({ id }) => ({ type: 'failed', id, error })));
    for (const job of this.#jobs.splice(0)) await job();
    for (const cache of [...this.#unusedCaches, ...this.#running.map((sequence) => sequence.cache)]) cache.release();
  }

  async #idle(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#closed || this.#jobs.length > 0 || this.#waiting.length > 0) resolve();
    });
    this.#wake = () => undefined;
  }

  #admit(): void {
    const { createCache, kvCacheBudgetBytes, maxNumSeqs, randomSeed } = this.#options;
    const count = numAdmitted(
      this.#waiting.map((waiting) => waiting.reservedBytes),
      kvCacheBudgetBytes - this.#usedBytes,
      maxNumSeqs - this.#running.length,
    );
    for (const { id, request, reservedBytes } of this.#waiting.splice(0, count)) {
      this.#usedBytes += reservedBytes;
      const cache = createCache(request.promptTokenIds.length + request.maxTokens);
      this.#running.push(new Sequence(id, request, cache, reservedBytes, randomSeed()));
    }
  }

  async #step(): Promise<void> {
    const { forward, nowMs = () => performance.now() } = this.#options;
    const { shares, drafts, numDecodeRows } = this.#plan();
    const draftOf = (sequence: Sequence): Draft => drafts.get(sequence) ?? NO_DRAFT;
    const chunks = new Map(
      shares.map((share) => [toChunk(share, draftOf(share.sequence).tokenIds), share.sequence] as const),
    );
    const numRows = [...chunks.keys()].reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
    this.#count(shares);
    const events: EngineEvent[] = [];
    const startMs = nowMs();
    try {
      const results = await forward.run([...chunks.keys()]);
      // A step in which a sequence failed may have skipped layers, or waited for a worker that is gone.
      if ([...results.values()].every(({ ok }) => ok)) {
        this.#stepTimes.observe(numRows, nowMs() - startMs);
        this.#promptBudget.observe(numDecodeRows, numRows - numDecodeRows);
      }
      for (const [chunk, sequence] of chunks)
        events.push(...this.#outcome(sequence, draftOf(sequence), results.get(chunk)));
    } catch (thrown) {
      for (const { sequence } of shares) events.push(...this.#fail(sequence, thrown));
    }
    if (events.length > 0) this.#options.emit(events);
  }

  // Sequences that decode come first, then their drafts, and what room and time then leave is for prompts. A draft
  // never takes the last token that a running sequence could have had.
  #plan(): { shares: StepShare<Sequence>[]; drafts: Map<Sequence, Draft>; numDecodeRows: number } {
    const { maxBatchTokens } = this.#options;
    const decoding = decodeShares(this.#running);
    const drafts = this.#drafter.draft(decoding, maxBatchTokens - this.#running.length);
    const numDecodeRows = [...drafts.values()].reduce((sum, { tokenIds }) => sum + tokenIds.length, decoding.length);
    const numPromptTokens = this.#promptBudget.numTokens(numDecodeRows, maxBatchTokens - numDecodeRows);
    return { shares: [...decoding, ...promptShares(this.#running, numPromptTokens)], drafts, numDecodeRows };
  }

  #count(shares: readonly StepShare<Sequence>[]): void {
    this.#counters.numSteps += 1;
    this.#counters.sumBatchSize += shares.length;
    this.#counters.maxBatchSize = Math.max(this.#counters.maxBatchSize, shares.length);
    for (const { sequence, numTokens } of shares)
      if (sequence.numGenerated === 0) this.#counters.numPromptTokens += numTokens;
  }

  // A sequence that was cancelled during the step is no longer running: nobody waits for its token.
  #outcome(sequence: Sequence, draft: Draft, result: ChunkResult | undefined): EngineEvent[] {
    if (!this.#running.includes(sequence)) return [];
    if (result === undefined) return this.#fail(sequence, new Error('the forward pass lost a sequence'));
    if (!result.ok) return this.#fail(sequence, result.error);
    if (result.logits.length === 0) return [];
    try {
      return this.#accepted(sequence, draft, result.logits);
    } catch (thrown) {
      return this.#fail(sequence, thrown);
    }
  }

  #accepted(sequence: Sequence, draft: Draft, logits: Float32Array): EngineEvent[] {
    const sampled = sequence.accept(logits, draft.tokenIds);
    this.#drafter.observeDraft(sequence, draft, sampled.length - 1);
    this.#counters.numGenerationTokens += sampled.length;
    if (sampled.at(-1)?.finishReason !== undefined) this.#release(sequence);
    return sampled.map(({ tokenId, finishReason }) => ({
      type: 'output',
      id: sequence.id,
      output: finishReason === undefined ? { tokenIds: [tokenId] } : { tokenIds: [tokenId], finishReason },
    }));
  }

  #fail(sequence: Sequence, thrown: unknown): EngineEvent[] {
    if (!this.#running.includes(sequence)) return [];
    this.#release(sequence);
    this.#counters.numFailedSequences += 1;
    return [{ type: 'failed', id: sequence.id, error: toErrorData(thrown) }];
  }

  #release(sequence: Sequence): void {
    this.#running = this.#running.filter((running) => running !== sequence);
    this.#usedBytes -= sequence.reservedBytes;
    this.#unusedCaches.push(sequence.cache);
  }
}

const NO_DRAFT: Draft = { tokenIds: [], matchLength: 0 };

function toChunk({ sequence, numTokens }: StepShare<Sequence>, draft: readonly number[]): Chunk {
  const completes = sequence.numComputed + numTokens === sequence.numTokens;
  return {
    cache: sequence.cache,
    tokenIds: [...sequence.uncomputed(numTokens), ...draft],
    numLogits: completes ? 1 + draft.length : 0,
  };
}
