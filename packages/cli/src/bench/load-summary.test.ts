import { describe, expect, it } from 'vitest';
import { loadReport } from './load-report.js';
import { summariseLoad } from './load-summary.js';
import { quantile } from './quantiles.js';
import { type RequestRecord } from './run-load.js';

const record = (
  startMs: number,
  timesMs: readonly number[],
  outcome: RequestRecord['outcome'] = 'done',
): RequestRecord => ({
  numPromptTokens: 10,
  startMs,
  endMs: timesMs.at(-1) ?? startMs,
  arrivals: timesMs.map((timeMs, index) => ({ timeMs, numTokens: index + 1 })),
  outcome,
});

describe('quantile', () => {
  it('takes the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0.5, 0.9, 0.99, 1].map((q) => quantile(values, q))).toEqual([50, 90, 99, 100]);
    expect(quantile([7], 0.01)).toBe(7);
    expect(quantile([], 0.5)).toBeUndefined();
  });
});

describe('summariseLoad', () => {
  it('counts tokens over the whole time, first tokens from the request, gaps within a request', () => {
    const summary = summariseLoad(2, [record(0, [100, 110, 130]), record(500, [700, 1000])]);
    expect(summary).toMatchObject({
      numDone: 2,
      durationSeconds: 1,
      numPromptTokens: 20,
      numOutputTokens: 5,
      outputTokensPerSecond: 5,
      totalTokensPerSecond: 25,
      timeToFirstTokenMs: { p50: 100, p99: 200 },
      interTokenMs: { p50: 20, max: 300 },
    });
  });

  it('counts the prompt only of requests that were answered, and errors by their message', () => {
    const refused = { error: 'HTTP 503: full' };
    const records = [record(0, [10]), record(0, [], refused), record(0, [], refused), record(0, [5], 'interrupted')];
    expect(summariseLoad(4, records)).toMatchObject({
      numRequests: 4,
      numDone: 1,
      numInterrupted: 1,
      numPromptTokens: 20,
      numOutputTokens: 2,
      errors: [{ message: 'HTTP 503: full', count: 2 }],
    });
  });

  it('has no latencies where nothing arrived', () => {
    const summary = summariseLoad(1, []);
    expect(summary).toMatchObject({ outputTokensPerSecond: 0, durationSeconds: 0 });
    expect(summary.timeToFirstTokenMs).toBeUndefined();
    expect(loadReport([summary])).toContain(' - ');
  });
});

describe('loadReport', () => {
  it('has a line per concurrency, and the errors below', () => {
    const lines = loadReport([
      summariseLoad(1, [record(0, [100, 200])]),
      summariseLoad(16, [record(0, [], { error: 'HTTP 503: full' })]),
    ]).split('\n');
    expect(lines[1]).toMatch(/^ +1 +1 +10\.0 +60\.0 +100\.0 \/ 100\.0 \/ 100\.0 +100\.0 \/ 100\.0 \/ 100\.0 +0$/);
    expect(lines[2]).toMatch(/^ +16 +0 of 1 .* 1$/);
    expect(lines[3]).toBe('concurrency 16: 1 times: HTTP 503: full');
  });
});
