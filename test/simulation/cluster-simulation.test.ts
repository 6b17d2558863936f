import { describe, expect, it } from 'vitest';
import { simulateSeed } from '@expertmesh/test-kit/simulation/simulate-seed';
import { PLANTED_BUGS } from './planted-bugs.js';

// The short form of `npm run simulate-cluster`.
const NUM_SEEDS = 300;

describe('a cluster under faults', () => {
  it('breaks no rule, whatever goes wrong', async () => {
    for (let seed = 1; seed <= NUM_SEEDS; seed++) {
      const { violation, numServed } = await simulateSeed(seed);
      expect(violation, `npm run simulate-cluster -- --seed ${String(seed)} --transcript`).toBeUndefined();
      expect(numServed).toBeGreaterThan(0);
    }
  }, 300_000);

  it('does the same again with the same seed', async () => {
    const first = await simulateSeed(3, { hasTranscript: true });
    expect(first.transcript.length).toBeGreaterThan(10);
    expect(await simulateSeed(3, { hasTranscript: true })).toEqual(first);
  });

  it.each(PLANTED_BUGS)('finds that $name', async ({ plant, seed, rule, faults }) => {
    const restore = plant();
    try {
      expect((await simulateSeed(seed, { faults })).violation).toContain(rule);
    } finally {
      restore();
    }
    expect((await simulateSeed(seed, { faults })).violation).toBeUndefined();
  });
});
