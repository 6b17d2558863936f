import { toErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type BlockPool } from '../kv/block-pool.js';
import { answerSeed } from '../sampling/random.js';
import { type DraftSource } from './draft-source.js';
import { type SequenceOutput } from './engine-client.js';
import { type EngineEvent } from './engine-event.js';
import { type ChunkResult } from './forward.js';
import { type Scheduler } from './scheduler.js';
import { type Sequence } from './sequence.js';
import { type PlannedShare } from './step-plan.js';
import { tenantOf } from './submission.js';
import { type PromptScorer, type SampledToken, type SamplerFactory } from './token-sampler.js';

export interface StepResultsOptions {
  readonly scheduler: Scheduler;
  readonly pool: BlockPool;
  readonly vocabSize: number;
  readonly prefixCache: boolean;
  readonly createSampler: SamplerFactory;
  readonly scorePrompt: PromptScorer;
  readonly drafts?: DraftSource | undefined;
}

/** Makes tokens and ends of what a step has computed. */
export class StepResults {
  readonly #options: StepResultsOptions;
  /** A step that is under way may still use their blocks. */
  #ended: Sequence[] = [];
  readonly counters = { numGenerationTokens: 0, numFailedSequences: 0, numDraftedTokens: 0, numAcceptedTokens: 0 };

  constructor(options: StepResultsOptions) {
    this.#options = options;
  }

  get hasEnded(): boolean {
    return this.#ended.length > 0;
  }

  // A sequence that was cancelled during the step is no longer running: nobody waits for its token.
  eventsOf(share: PlannedShare, result: ChunkResult | undefined): EngineEvent[] {
    const { sequence } = share;
    if (!this.#options.scheduler.isRunning(sequence)) return [];
    if (result === undefined) return this.fail(sequence, new Error('the forward pass lost a sequence'));
    if (!result.ok) return this.fail(sequence, result.error);
    try {
      return this.#computed(share, result.logits);
    } catch (thrown) {
      return this.fail(sequence, thrown);
    }
  }

  /** Ends the whole request of a sequence. */
  fail({ submission }: Sequence, thrown: unknown): EngineEvent[] {
    const sequences = this.#options.scheduler.sequencesOf(submission.id);
    if (sequences.length === 0) return [];
    for (const sequence of sequences) this.end(sequence);
    this.counters.numFailedSequences += 1;
    return [{ type: 'failed', id: submission.id, error: toErrorData(thrown) }];
  }

  /** Takes a sequence out; its blocks are given back by `releaseEnded`. */
  end(sequence: Sequence): void {
    this.#options.scheduler.remove(sequence);
    this.#ended.push(sequence);
  }

  /** Between steps. */
  releaseEnded(): void {
    if (this.#ended.length === 0) return;
    for (const sequence of this.#ended) sequence.release();
    this.#ended = [];
  }

  #computed({ sequence, draft, chunk }: PlannedShare, logits: Float32Array): EngineEvent[] {
    const scores = sequence.needsAllRows;
    const completes = sequence.numComputed + chunk.tokenIds.length - draft.length === sequence.numTokens;
    if (scores) this.#score(sequence, logits);
    sequence.table.advance(chunk.tokenIds.length);
    if (!completes) {
      this.#publish(sequence);
      return [];
    }
    if (sequence.submission.request.maxTokens === 0) return this.#onlyScored(sequence);
    const last = scores ? logits.subarray(logits.length - this.#options.vocabSize) : logits;
    return this.#answered(sequence, draft, last);
  }

  #score({ submission, numComputed }: Sequence, logits: Float32Array): void {
    const { vocabSize, scorePrompt } = this.#options;
    const { request, promptLogprobs } = submission;
    for (let row = 0; row < logits.length / vocabSize; row++) {
      const position = numComputed + row + 1;
      const tokenId = request.promptTokenIds[position];
      if (tokenId === undefined) return;
      const predicted = logits.subarray(row * vocabSize, (row + 1) * vocabSize);
      promptLogprobs[position] = scorePrompt(predicted, tokenId, request.logprobs?.prompt ?? 0);
    }
  }

  // Nothing is sampled: that the prompt was scored is all that was wanted.
  #onlyScored(sequence: Sequence): EngineEvent[] {
    const { submission } = sequence;
    this.#publish(sequence);
    this.end(sequence);
    return Array.from({ length: submission.request.numAnswers ?? 1 }, (_, answerIndex) => ({
      type: 'output',
      id: submission.id,
      output: {
        ...(answerIndex > 0 && { answerIndex }),
        tokenIds: [],
        ...(answerIndex === 0 && ofPrompt(sequence)),
        finishReason: 'length',
      },
    }));
  }

  #answered(sequence: Sequence, draft: readonly number[], logits: Float32Array): EngineEvent[] {
    const { numAnswers = 1 } = sequence.submission.request;
    const forks = numAnswers > 1 && sequence.numSampled === 0 ? this.#forks(sequence, numAnswers) : [];
    // Sampling changes logits in place, so every answer gets a copy before the first one reads them.
    const copies = forks.map(() => logits.slice());
    // All of them are known before one is sampled: where that fails, the blocks of all are given back.
    for (const fork of forks) this.#options.scheduler.addFork(fork);
    const events = this.#accepted(sequence, draft, logits);
    for (const [index, fork] of forks.entries()) events.push(...this.#accepted(fork, [], copies[index] ?? logits));
    return events;
  }

  #forks(sequence: Sequence, numAnswers: number): Sequence[] {
    const { request, randomSeed } = sequence.submission;
    const samplers = Array.from({ length: numAnswers - 1 }, (_, index) =>
      this.#options.createSampler(request, answerSeed(request.sampling.seed, randomSeed, index + 1)),
    );
    return samplers.map((sampler, index) => sequence.fork(index + 1, sampler));
  }

  #accepted(sequence: Sequence, draft: readonly number[], logits: Float32Array): EngineEvent[] {
    const isFirst = sequence.numSampled === 0;
    const sampled = sequence.accept(logits, draft);
    this.#publish(sequence);
    this.#count(sequence, draft, sampled.length);
    if (sampled.at(-1)?.finishReason !== undefined) this.end(sequence);
    return sampled.map((token, index) => ({
      type: 'output',
      id: sequence.submission.id,
      output: outputOf(sequence, token, isFirst && index === 0 && sequence.answerIndex === 0),
    }));
  }

  #count(sequence: Sequence, draft: readonly number[], numSampled: number): void {
    const { scheduler, drafts } = this.#options;
    this.counters.numGenerationTokens += numSampled;
    this.counters.numDraftedTokens += draft.length;
    this.counters.numAcceptedTokens += numSampled - 1;
    scheduler.shares.chargeAnswer(tenantOf(sequence.submission), numSampled);
    drafts?.observe(sequence, draft, numSampled - 1);
  }

  #publish(sequence: Sequence): void {
    if (this.#options.prefixCache) sequence.publish(this.#options.pool);
  }
}

function outputOf(sequence: Sequence, token: SampledToken, isFirstOfRequest: boolean): SequenceOutput {
  const { answerIndex } = sequence;
  const { tokenId, finishReason, logprobs } = token;
  const isPlain = answerIndex === 0 && !isFirstOfRequest && logprobs === undefined;
  if (isPlain && finishReason === undefined) return { tokenIds: [tokenId] };
  return {
    ...(answerIndex > 0 && { answerIndex }),
    tokenIds: [tokenId],
    ...(logprobs && { logprobs: [logprobs] }),
    ...(isFirstOfRequest && ofPrompt(sequence)),
    ...(finishReason && { finishReason }),
  };
}

function ofPrompt({ submission }: Sequence): Partial<SequenceOutput> {
  const { promptLogprobs, request } = submission;
  // Of an answer that is resumed, tokens of the answer may have been there too.
  const numCachedTokens = Math.min(submission.numCachedTokens, request.promptTokenIds.length);
  return {
    ...(promptLogprobs.length > 0 && { promptLogprobs }),
    ...(numCachedTokens > 0 && { numCachedTokens }),
  };
}
