import { describe, expect, it } from 'vitest';
import { decideRestart } from './restart-policy.js';

describe('decideRestart', () => {
  it('waits twice as long after each quick failure in a row, and then gives up', () => {
    let numQuickFailures = 0;
    const delaysMs: number[] = [];
    for (;;) {
      const decision = decideRestart(numQuickFailures, 100);
      if (decision.kind === 'give-up') break;
      delaysMs.push(decision.delayMs);
      numQuickFailures = decision.numQuickFailures;
    }
    expect(delaysMs).toEqual([500, 1000, 2000, 4000]);
  });

  it('starts at once, and counts anew, after a process that had run for a while', () => {
    expect(decideRestart(4, 60_000)).toEqual({ kind: 'restart', delayMs: 250, numQuickFailures: 0 });
  });
});
