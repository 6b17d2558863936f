import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { describe, expect, it } from 'vitest';
import { planRequests } from './bench-prompts.js';
import { type CompletionRequest } from './completion-client.js';
import { runLoad } from './run-load.js';

const plan = { model: 'm', numRequests: 6, numPromptTokens: 3, numOutputTokens: 2, seed: 1 };
const requests = planRequests(plan, [5, 6, 7]);
const { signal } = new AbortController();

describe('planRequests', () => {
  it('makes prompts of the exact length, another one for each request, the same ones for the same seed', () => {
    const long = planRequests({ ...plan, numPromptTokens: 40 }, [5, 6, 7]);
    expect(long.every(({ promptTokenIds }) => promptTokenIds.length === 40)).toBe(true);
    expect(new Set(long.map(({ promptTokenIds }) => promptTokenIds.join())).size).toBe(6);
    expect(planRequests({ ...plan, numPromptTokens: 40 }, [5, 6, 7])).toEqual(long);
    expect(planRequests({ ...plan, numPromptTokens: 40, seed: 2 }, [5, 6, 7])).not.toEqual(long);
  });
});

describe('runLoad', () => {
  it('keeps as many requests under way as asked for', async () => {
    let numUnderWay = 0;
    let most = 0;
    const client = {
      async *complete({ numTokens }: CompletionRequest) {
        most = Math.max(most, ++numUnderWay);
        for (let token = 1; token <= numTokens; token++) {
          await new Promise(setImmediate);
          yield token;
        }
        numUnderWay -= 1;
      },
    };
    const records = await runLoad(client, { requests, concurrency: 4, signal });
    expect(most).toBe(4);
    expect(records.map(({ outcome, arrivals }) => [outcome, arrivals.at(-1)?.numTokens])).toEqual(
      requests.map(() => ['done', 2]),
    );
  });

  it('records what failed and goes on; too few tokens are a failure', async () => {
    let numCalls = 0;
    const client = {
      async *complete() {
        numCalls += 1;
        await Promise.resolve();
        if (numCalls === 1) throw new ExpertmeshError('unavailable', 'HTTP 503: full');
        yield numCalls === 2 ? 1 : 2;
      },
    };
    const records = await runLoad(client, { requests, concurrency: 1, signal });
    expect(records.map(({ outcome }) => outcome)).toEqual([
      { error: 'HTTP 503: full' },
      { error: '1 tokens instead of 2' },
      ...requests.slice(2).map(() => 'done'),
    ]);
  });

  it('ends early with what has arrived when it is interrupted', async () => {
    const interrupt = new AbortController();
    const client = {
      async *complete(_: CompletionRequest, aborted: AbortSignal) {
        yield 1;
        interrupt.abort();
        await Promise.resolve();
        if (aborted.aborted) throw new ExpertmeshError('cancelled', 'interrupted');
      },
    };
    const records = await runLoad(client, { requests, concurrency: 2, signal: interrupt.signal });
    expect(records.map(({ outcome, arrivals }) => [outcome, arrivals.length])).toEqual([
      ['interrupted', 1],
      ['interrupted', 1],
    ]);
  });
});
