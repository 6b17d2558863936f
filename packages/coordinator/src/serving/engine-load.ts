import { type CoordinatorLoad } from '@expertmesh/shared/cluster/member-record';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type EngineStats } from '../engine/engine-client.js';

interface Reading {
  readonly atMs: number;
  readonly numGenerationTokens: number;
  readonly numPromptTokens: number;
}

/** Rates are over about this long. */
const SPAN_MS = 2_000;

/** What a coordinator has to do, from the engine's counters. */
export class EngineLoad {
  readonly #clock: Clock;
  #before: Reading;
  #last: Reading;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#before = this.#last = { atMs: clock.nowMs(), numGenerationTokens: 0, numPromptTokens: 0 };
  }

  read(stats: EngineStats): CoordinatorLoad {
    const now = { atMs: this.#clock.nowMs(), ...countersOf(stats) };
    if (now.atMs - this.#last.atMs >= SPAN_MS) {
      this.#before = this.#last;
      this.#last = now;
    }
    const seconds = Math.max(0.001, (now.atMs - this.#before.atMs) / 1000);
    return {
      generationTokensPerSecond: (now.numGenerationTokens - this.#before.numGenerationTokens) / seconds,
      promptTokensPerSecond: (now.numPromptTokens - this.#before.numPromptTokens) / seconds,
      numRunning: stats.numRunning,
      numWaiting: stats.numWaiting,
      kvCacheUsage: stats.kvCacheBudgetBytes > 0 ? stats.kvCacheUsedBytes / stats.kvCacheBudgetBytes : 0,
    };
  }
}

const countersOf = ({ numGenerationTokens, numPromptTokens }: EngineStats) => ({
  numGenerationTokens,
  numPromptTokens,
});
