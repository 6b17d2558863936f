import { type LayerTimeSums } from './layer-times.js';

/**
 * The engine as the rest of the coordinator sees it: tokens in, tokens out. Text (tokenising, chat templates, stop
 * strings) is not its business. The engine itself runs in a thread of its own; see engine-thread.ts.
 */
export interface EngineClient {
  readonly limits: EngineLimits;
  /**
   * Runs one sequence. Yields at least once; the last output, and only the last, has a finishReason. Leaving the loop or
   * aborting `signal` ends the sequence and frees its KV cache.
   *
   * @throws ExpertmeshError `invalid_argument` when the sequence can never fit (param `max_tokens` or `prompt`), `resource_exhausted` when the queue is
   * full, `unavailable` when experts that it needs are away, `cancelled` after an abort.
   */
  generate(request: SequenceRequest, signal: AbortSignal): AsyncIterable<SequenceOutput>;
  stats(): EngineStats;
}

export interface EngineLimits {
  /** Longest sequence, prompt and answer together, in tokens. */
  readonly maxModelLen: number;
  readonly vocabSize: number;
}

export interface SequenceRequest {
  readonly promptTokenIds: readonly number[];
  /** Most new tokens. */
  readonly maxTokens: number;
  readonly sampling: SamplingParams;
  /** The sequence ends with finishReason `stop` when one of these is sampled; that token is the last one reported. */
  readonly stopTokenIds: readonly number[];
}

/** How the next token is chosen. Neutral values switch a step off; they are complete, defaults are applied before. */
export interface SamplingParams {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the smallest set of tokens whose probability reaches this; 1 keeps all. */
  readonly topP: number;
  /** Keep tokens of at least this fraction of the most likely one's probability; 0 keeps all. */
  readonly minP: number;
  /** Above 1 makes tokens of the prompt and of the answer less likely; 1 is off. */
  readonly repetitionPenalty: number;
  /** Subtracted once from the logit of a token that the answer has; 0 is off. */
  readonly presencePenalty: number;
  /** Subtracted from the logit of a token per time that the answer has it; 0 is off. */
  readonly frequencyPenalty: number;
  /** Same seed, prompt and parameters give the same tokens; absent means a random one. */
  readonly seed?: number | undefined;
}

export type FinishReason = 'stop' | 'length';

export interface SequenceOutput {
  readonly tokenIds: readonly number[];
  readonly finishReason?: FinishReason;
}

/** Counters since the start and gauges of now; plain data, so that it crosses the thread border as it is. */
export interface EngineStats {
  readonly numRunning: number;
  readonly numWaiting: number;
  readonly kvCacheUsedBytes: number;
  readonly kvCacheBudgetBytes: number;
  readonly numSteps: number;
  /** Most sequences that shared one step. */
  readonly maxBatchSize: number;
  /** Sum over steps of the sequences in them: divided by numSteps it is the mean batch size. */
  readonly sumBatchSize: number;
  readonly numPromptTokens: number;
  readonly numGenerationTokens: number;
  readonly numFailedSequences: number;
  /** Speculative tokens computed, and those of them that became tokens of an answer. */
  readonly numDraftedTokens: number;
  readonly numAcceptedTokens: number;
  /** Absent until the engine has loaded. */
  readonly layerTimes?: LayerTimeSums;
}

/** Of an engine that has done nothing yet. */
export const emptyEngineStats = (kvCacheBudgetBytes: number): EngineStats => ({
  numRunning: 0,
  numWaiting: 0,
  kvCacheUsedBytes: 0,
  kvCacheBudgetBytes,
  numSteps: 0,
  maxBatchSize: 0,
  sumBatchSize: 0,
  numPromptTokens: 0,
  numGenerationTokens: 0,
  numFailedSequences: 0,
  numDraftedTokens: 0,
  numAcceptedTokens: 0,
});
