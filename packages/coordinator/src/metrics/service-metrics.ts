import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type EngineStats, type FinishReason } from '../engine/engine-client.js';

/** How a sequence ended; vLLM's values of `finished_reason`. */
export type FinishedReason = FinishReason | 'abort' | 'error';

/** Bucket bounds in seconds, from a small model in memory to a large one behind a slow network. */
const FIRST_TOKEN_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160];
const INTER_TOKEN_BUCKETS = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5];
const REQUEST_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280];

/** What clients notice of the service, under vLLM's names. Other parts add theirs to the same registry. */
export class ServiceMetrics {
  readonly registry = new Registry();
  readonly promptTokens = this.#counter('prompt_tokens_total', 'Prompt tokens of sequences that began to answer.');
  readonly generationTokens = this.#counter('generation_tokens_total', 'Tokens generated.');
  readonly timeToFirstToken = this.#histogram(
    'time_to_first_token_seconds',
    'From the arrival of a sequence to its first token.',
    FIRST_TOKEN_BUCKETS,
  );
  readonly interTokenLatency = this.#histogram(
    'inter_token_latency_seconds',
    'Between two tokens of one sequence.',
    INTER_TOKEN_BUCKETS,
  );
  readonly requestLatency = this.#histogram(
    'e2e_request_latency_seconds',
    'From the arrival of a sequence to its end.',
    REQUEST_BUCKETS,
  );
  readonly #finished = new Counter({
    name: 'expertmesh:request_success_total',
    help: 'Sequences that ended, by reason: stop, length, abort (the client left) or error.',
    labelNames: ['finished_reason'],
    registers: [this.registry],
  });

  constructor(engineStats: () => EngineStats) {
    collectDefaultMetrics({ register: this.registry });
    this.#gauge('num_requests_running', 'Sequences in the running batch.', () => engineStats().numRunning);
    this.#gauge('num_requests_waiting', 'Sequences that wait for a place.', () => engineStats().numWaiting);
    this.#gauge('kv_cache_usage_perc', 'Share of the KV cache that sequences have; 1 is full.', () => {
      const { kvCacheUsedBytes, kvCacheBudgetBytes } = engineStats();
      return kvCacheBudgetBytes === 0 ? 0 : kvCacheUsedBytes / kvCacheBudgetBytes;
    });
    this.#gauge('kv_cache_cached_blocks', 'Blocks that no sequence has and a prompt may find.', () => {
      return engineStats().numCachedKvBlocks;
    });
    this.#counted('num_preemptions_total', 'Times that a sequence gave its blocks back to go on later.', () => {
      return engineStats().numPreemptions;
    });
    this.#counted('prefix_cache_queries_total', 'Prompt tokens that were looked for in the prefix cache.', () => {
      return engineStats().numPrefixQueryTokens;
    });
    this.#counted('prefix_cache_hits_total', 'Prompt tokens that the prefix cache had.', () => {
      return engineStats().numCachedPromptTokens;
    });
  }

  countFinished(reason: FinishedReason): void {
    this.#finished.inc({ finished_reason: reason });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: `expertmesh:${name}`, help, registers: [this.registry] });
  }

  // The engine counts by itself, so the value is set rather than added to.
  #counted(name: string, help: string, read: () => number): void {
    new Counter({
      name: `expertmesh:${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name: `expertmesh:${name}`, help, buckets, registers: [this.registry] });
  }

  #gauge(name: string, help: string, read: () => number): Gauge {
    return new Gauge({
      name: `expertmesh:${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }
}
