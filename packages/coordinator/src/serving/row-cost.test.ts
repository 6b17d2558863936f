import { describe, expect, it } from 'vitest';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { emptyEngineStats, type EngineStats } from '../engine/engine-client.js';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { EngineLoad } from './engine-load.js';
import { RowCost } from './row-cost.js';

const ROW_BYTES = 1_000;
const TYPICAL = 2 * ROW_BYTES * 2.2e-9;

const stats = (changed: Partial<EngineStats>): EngineStats => ({
  ...emptyEngineStats(100),
  numRunning: 2,
  numWaiting: 1,
  kvCacheUsedBytes: 25,
  ...changed,
});

/** An engine whose layers take 100 us and rows so many seconds more each. */
class CountingEngine {
  numLayers = 0;
  numRows = 0;
  seconds = 0;
  readonly #secondsPerRow: number;

  constructor(secondsPerRow: number) {
    this.#secondsPerRow = secondsPerRow;
  }

  step(numLayers: number, rowsPerLayer: number): void {
    this.numLayers += numLayers;
    this.numRows += numLayers * rowsPerLayer;
    this.seconds += numLayers * (100e-6 + rowsPerLayer * this.#secondsPerRow);
  }

  read(cost: RowCost): void {
    const { numLayers } = this;
    const layerTimes = { numLayers, dense: 0, wire: 0, wait: 0, compute: 0, combine: 0, serialise: this.seconds * 1e6 };
    const worker = { sentBytes: this.numRows * ROW_BYTES };
    cost.read(stats({ layerTimes }), { workers: [worker] } as unknown as DispatchStats);
  }
}

describe('RowCost', () => {
  it('is what rows usually take before steps have differed', () => {
    const cost = new RowCost(ROW_BYTES);
    expect(cost.secondsPerRow).toBeCloseTo(TYPICAL, 12);
    const engine = new CountingEngine(2 * TYPICAL);
    for (let reading = 0; reading < 20; reading++) {
      engine.step(48, 8);
      engine.read(cost);
    }
    expect(cost.secondsPerRow).toBeCloseTo(TYPICAL, 12);
  });

  it('tells rows from what a layer costs anyway, however much is computed between two readings', () => {
    const cost = new RowCost(ROW_BYTES);
    const engine = new CountingEngine(2 * TYPICAL);
    for (let reading = 0; reading < 40; reading++) {
      engine.step(48 * (1 + (reading % 3)), 4 + (reading % 5) * 8);
      engine.read(cost);
    }
    expect(cost.secondsPerRow / TYPICAL).toBeCloseTo(2, 3);
  });

  it('believes no figure that is far off, and none of counters that have begun anew', () => {
    const cost = new RowCost(ROW_BYTES);
    const engine = new CountingEngine(100 * TYPICAL);
    for (let reading = 0; reading < 20; reading++) {
      engine.step(10, 4 + reading);
      engine.read(cost);
    }
    expect(cost.secondsPerRow / TYPICAL).toBeCloseTo(5, 6);
    engine.numRows = 0;
    engine.step(10, 1);
    engine.read(cost);
    expect(cost.secondsPerRow / TYPICAL).toBeCloseTo(5, 6);
  });
});

describe('EngineLoad', () => {
  it('has the rates of the last seconds and how full the coordinator is', () => {
    const clock = new DrivenClock();
    const load = new EngineLoad(clock);
    clock.advance(1_000);
    const first = load.read(stats({ numGenerationTokens: 50, numPromptTokens: 10 }));
    expect(first).toEqual({
      generationTokensPerSecond: 50,
      promptTokensPerSecond: 10,
      numRunning: 2,
      numWaiting: 1,
      kvCacheUsage: 0.25,
    });
    clock.advance(2_000);
    load.read(stats({ numGenerationTokens: 50 }));
    clock.advance(2_000);
    expect(load.read(stats({ numGenerationTokens: 450 })).generationTokensPerSecond).toBe(200);
  });
});
