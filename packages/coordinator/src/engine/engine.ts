import { ExpertmeshError, toErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { MAX_WAITING_TOKENS } from '@expertmesh/shared/limits/limits';
import { type BlockMemory } from '../kv/block-memory.js';
import { type DraftSource } from './draft-source.js';
import { type EngineStats, type SequenceRequest } from './engine-client.js';
import { type EngineEvent } from './engine-event.js';
import { type ForwardPass } from './forward.js';
import { Intake, type IntakeOptions } from './intake.js';
import { PromptBudget } from './prompt-budget.js';
import { type PrefixRestorer } from './prefix-restorer.js';
import { Scheduler } from './scheduler.js';
import { type Sequence } from './sequence.js';
import { planStep, type PlannedShare, type StepPlan } from './step-plan.js';
import { StepResults } from './step-results.js';
import { StepTimeModel } from './step-time-model.js';
import { type PromptScorer } from './token-sampler.js';

export interface EngineOptions extends IntakeOptions {
  readonly memory: Pick<BlockMemory, 'blockBytes' | 'copyBlock'>;
  readonly forward: Pick<ForwardPass, 'run'>;
  readonly scorePrompt: PromptScorer;
  /** Absent where nothing is drafted but what is forced. */
  readonly drafts?: DraftSource | undefined;
  /** Whether prompts share what is computed of them. */
  readonly prefixCache: boolean;
  /** Absent where no blocks are kept on disk. */
  readonly restorer?: PrefixRestorer | undefined;
  /** Token budget of a step; at least maxNumSeqs. */
  readonly maxBatchTokens: number;
  /** Most that prompts may lengthen a step of sequences that decode, as a multiple of what it takes without them. */
  readonly maxStepStretch: number;
  /** Most sequences that run together. */
  readonly maxNumSeqs: number;
  /** Most sequences that wait; more are refused. */
  readonly maxWaitingSeqs: number;
  readonly emit: (events: readonly EngineEvent[]) => void;
  /** Monotonic clock. */
  readonly nowMs?: () => number;
}

/**
 * Continuous batching: sequences join and leave between steps. A sequence takes blocks as its tokens come; when they
 * run out, the newest of the lowest priority gives its own back and goes on later with the same tokens.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #scheduler: Scheduler;
  readonly #nowMs: () => number;
  readonly #intake: Intake;
  readonly #results: StepResults;
  #jobs: (() => Promise<void>)[] = [];
  /** When the next deadline may pass. */
  #nextDeadlineMs = Infinity;
  #closed = false;
  #wake: () => void = () => undefined;
  readonly #loop: Promise<void>;
  readonly #stepTimes = new StepTimeModel();
  readonly #promptBudget: PromptBudget;
  readonly #counters = { numSteps: 0, maxBatchSize: 0, sumBatchSize: 0, numPromptTokens: 0 };

  constructor(options: EngineOptions) {
    const { pool, maxNumSeqs, maxWaitingSeqs, prefixCache, nowMs = () => performance.now() } = options;
    const queue = { maxSequences: maxWaitingSeqs, maxTokens: MAX_WAITING_TOKENS };
    this.#options = options;
    this.#nowMs = nowMs;
    this.#scheduler = new Scheduler({ pool, maxNumSeqs, queue, reusesPrefixes: prefixCache });
    this.#intake = new Intake(options);
    this.#results = new StepResults({ ...options, scheduler: this.#scheduler });
    this.#promptBudget = new PromptBudget(this.#stepTimes, options.maxStepStretch);
    this.#loop = this.#run();
  }

  /** Queues a request. Whether it can ever run is checked here; a refusal is a `failed` event like any other. */
  submit(id: number, request: SequenceRequest): void {
    try {
      if (this.#closed) throw shuttingDown();
      const sequence = this.#intake.take(id, request, this.#nowMs());
      this.#scheduler.enqueue(sequence);
      this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, sequence.submission.deadlineMs);
      this.#wake();
    } catch (error) {
      this.#options.emit([{ type: 'failed', id, error: toErrorData(error) }]);
    }
  }

  /** Ends a request without a further event and frees its KV cache; an unknown id has ended already. */
  cancel(id: number): void {
    for (const sequence of this.#scheduler.sequencesOf(id)) this.#results.end(sequence);
    this.#wake();
  }

  /** Runs a job between two steps, when no forward pass is under way. */
  betweenSteps(job: () => Promise<void>): Promise<void> {
    if (this.#closed) return Promise.reject(shuttingDown());
    return new Promise((resolve, reject) => {
      this.#jobs.push(() => job().then(resolve, reject));
      this.#wake();
    });
  }

  stats(): EngineStats {
    const { pool, memory } = this.#options;
    const { running, waiting, counters } = this.#scheduler;
    return {
      numRunning: running.length,
      numWaiting: waiting.size,
      kvCacheUsedBytes: pool.numReferenced * memory.blockBytes,
      kvCacheBudgetBytes: pool.numBlocks * memory.blockBytes,
      numKvBlocks: pool.numBlocks,
      numUsedKvBlocks: pool.numReferenced,
      numCachedKvBlocks: pool.numCached,
      ...counters,
      ...this.#counters,
      ...this.#results.counters,
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
      this.#expire();
      this.#results.releaseEnded();
      this.#admit();
      const plan = this.#plan();
      if (plan.shares.length === 0) await this.#idle();
      else await this.#step(plan);
    }
    const left = this.#scheduler.all();
    const ids = [...new Set(left.map(({ submission }) => submission.id))];
    this.#options.emit(ids.map((id) => ({ type: 'failed', id, error: toErrorData(shuttingDown()) })));
    for (const job of this.#jobs.splice(0)) await job();
    for (const sequence of left) this.#results.end(sequence);
    this.#results.releaseEnded();
  }

  // Whatever changes what can be planned wakes it.
  async #idle(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#closed || this.#jobs.length > 0 || this.#results.hasEnded) resolve();
    });
    this.#wake = () => undefined;
  }

  #expire(): void {
    const nowMs = this.#nowMs();
    if (nowMs < this.#nextDeadlineMs) return;
    const events: EngineEvent[] = [];
    this.#nextDeadlineMs = Infinity;
    for (const sequence of this.#scheduler.all()) {
      const { deadlineMs, request } = sequence.submission;
      if (deadlineMs > nowMs) this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, deadlineMs);
      else events.push(...this.#results.fail(sequence, timedOut(request.timeoutMs)));
    }
    if (events.length > 0) this.#options.emit(events);
  }

  #admit(): void {
    const { restorer, prefixCache } = this.#options;
    for (const sequence of this.#scheduler.admit())
      if (prefixCache && restorer?.hasNext(sequence) === true) void this.#restore(sequence, restorer);
  }

  async #restore(sequence: Sequence, restorer: PrefixRestorer): Promise<void> {
    const restoring = {};
    sequence.restoring = restoring;
    const isWanted = (): boolean => sequence.restoring === restoring && this.#scheduler.isRunning(sequence);
    const numTokens = await restorer.restore(sequence, isWanted);
    if (!isWanted()) return;
    sequence.restoring = undefined;
    this.#scheduler.noteCached(sequence, numTokens);
    this.#wake();
  }

  #plan(): StepPlan {
    const { maxBatchTokens, drafts } = this.#options;
    const times = { promptBudget: this.#promptBudget, stepTimes: this.#stepTimes };
    return planStep(this.#scheduler, { ...times, maxBatchTokens, drafts });
  }

  async #step({ shares, numDecodeRows }: StepPlan): Promise<void> {
    const numRows = shares.reduce((sum, { chunk }) => sum + chunk.tokenIds.length, 0);
    this.#count(shares);
    const events: EngineEvent[] = [];
    const startMs = this.#nowMs();
    try {
      const results = await this.#options.forward.run(shares.map(({ chunk }) => chunk));
      // A step in which a sequence failed may have skipped layers, or waited for a worker that is gone.
      if ([...results.values()].every(({ ok }) => ok)) {
        this.#stepTimes.observe(numRows, this.#nowMs() - startMs);
        this.#promptBudget.observe(numDecodeRows, numRows - numDecodeRows);
      }
      for (const share of shares) events.push(...this.#results.eventsOf(share, results.get(share.chunk)));
    } catch (thrown) {
      for (const { sequence } of shares) events.push(...this.#results.fail(sequence, thrown));
    }
    if (events.length > 0) this.#options.emit(events);
  }

  #count(shares: readonly PlannedShare[]): void {
    this.#counters.numSteps += 1;
    this.#counters.sumBatchSize += shares.length;
    this.#counters.maxBatchSize = Math.max(this.#counters.maxBatchSize, shares.length);
    for (const { sequence, numTokens } of shares)
      if (sequence.numSampled === 0) this.#counters.numPromptTokens += numTokens;
  }
}

function shuttingDown(): ExpertmeshError {
  return new ExpertmeshError('unavailable', 'the coordinator is shutting down');
}

function timedOut(timeoutMs: number | undefined): ExpertmeshError {
  return new ExpertmeshError(
    'deadline_exceeded',
    `the request has not ended within ${String(timeoutMs)} ms after it came; allow more time, or ask for fewer tokens`,
  );
}
