import { type Constraint } from '../sampling/grammar/constraint.js';
import {
  type LogitControls,
  type LogprobsRequest,
  type SamplingParams,
  type ThinkingControl,
  type TokenLogprobs,
} from '../sampling/sampling-params.js';
import { type LayerTimeSums } from './layer-times.js';

/**
 * The engine as the rest of the coordinator sees it: tokens in, tokens out. Text (tokenising, chat templates, stop
 * strings) is not its business. The engine itself runs in a thread of its own; see engine-thread.ts.
 */
export interface EngineClient {
  readonly limits: EngineLimits;
  /**
   * Runs one request. Yields at least once; the last output of each answer, and only that, has a finishReason. Leaving
   * the loop or aborting `signal` ends all its answers and frees their KV cache.
   *
   * @throws ExpertmeshError `invalid_argument` when the sequence can never fit (param `max_tokens` or `prompt`),
   * `resource_exhausted` when the queue is full, `unavailable` when experts that it needs are away,
   * `deadline_exceeded` after its `timeoutMs`, `cancelled` after an abort.
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
  /** Most new tokens; 0 only where log-probabilities of the prompt are all that is wanted. */
  readonly maxTokens: number;
  /** The answer begins with these, which the client has already: they count, and are not told again. */
  readonly resumedTokenIds?: readonly number[] | undefined;
  readonly sampling: SamplingParams;
  readonly controls?: LogitControls | undefined;
  readonly thinking?: ThinkingControl | undefined;
  /** What the answer must look like, once thinking has ended. */
  readonly constraint?: Constraint | undefined;
  readonly logprobs?: LogprobsRequest | undefined;
  /** So many answers to the one prompt, which is computed once; 1 if absent. */
  readonly numAnswers?: number | undefined;
  /** Lower is served first, as in vLLM; 0 if absent. */
  readonly priority?: number | undefined;
  /** On whose behalf it is: places are shared fairly between tenants. */
  readonly tenant?: string | undefined;
  /** Computed prompts are shared only between requests of equal salt. */
  readonly cacheSalt?: string | undefined;
  /** It fails with `deadline_exceeded` when it has not ended so long after it came. */
  readonly timeoutMs?: number | undefined;
  /** The sequence ends with finishReason `stop` when one of these is sampled; that token is the last one reported. */
  readonly stopTokenIds: readonly number[];
}

export type FinishReason = 'stop' | 'length';

export interface SequenceOutput {
  /** Which of `numAnswers`; 0 if absent. */
  readonly answerIndex?: number;
  readonly tokenIds: readonly number[];
  /** Of `tokenIds`, where they were asked for. */
  readonly logprobs?: readonly TokenLogprobs[];
  /** On the first output, where they were asked for: of each token of the prompt; the first has none. */
  readonly promptLogprobs?: readonly (TokenLogprobs | undefined)[];
  /** On the first output: tokens of the prompt whose keys and values were there already. */
  readonly numCachedTokens?: number;
  readonly finishReason?: FinishReason;
}

/** Counters since the start and gauges of now; plain data, so that it crosses the thread border as it is. */
export interface EngineStats {
  readonly numRunning: number;
  readonly numWaiting: number;
  /** Of blocks that sequences have; what is cached beside them is not in it. */
  readonly kvCacheUsedBytes: number;
  readonly kvCacheBudgetBytes: number;
  readonly numKvBlocks: number;
  readonly numUsedKvBlocks: number;
  /** Blocks that no sequence has, with content that a prompt may find. */
  readonly numCachedKvBlocks: number;
  /** How often a sequence gave its blocks back to go on later. */
  readonly numPreemptions: number;
  /** Prompt tokens that were looked for among computed ones, and those of them that were there. */
  readonly numPrefixQueryTokens: number;
  readonly numCachedPromptTokens: number;
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
export function emptyEngineStats(kvCacheBudgetBytes: number): EngineStats {
  return {
    numRunning: 0,
    numWaiting: 0,
    kvCacheUsedBytes: 0,
    kvCacheBudgetBytes,
    numKvBlocks: 0,
    numUsedKvBlocks: 0,
    numCachedKvBlocks: 0,
    numPreemptions: 0,
    numPrefixQueryTokens: 0,
    numCachedPromptTokens: 0,
    numSteps: 0,
    maxBatchSize: 0,
    sumBatchSize: 0,
    numPromptTokens: 0,
    numGenerationTokens: 0,
    numFailedSequences: 0,
    numDraftedTokens: 0,
    numAcceptedTokens: 0,
  };
}
