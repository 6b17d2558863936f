import { type Fault } from '@expertmesh/test-kit/simulation/fault-plan';
import { simulateSeed } from '@expertmesh/test-kit/simulation/simulate-seed';
import { PLANTED_BUGS } from './planted-bugs.js';

/** Seeds that one process runs one after the other. */
export interface SeedBlock {
  readonly firstSeed: number;
  readonly numSeeds: number;
  readonly faults: readonly Fault[];
  /** Of PLANTED_BUGS, one that is there meanwhile. */
  readonly bug?: number | undefined;
}

export interface BlockResult {
  readonly numSeeds: number;
  readonly simulatedMs: number;
  readonly numEvents: number;
  readonly numServed: number;
  readonly numHedges: number;
  readonly failures: readonly { readonly seed: number; readonly violation: string }[];
}

export const NO_RESULT: BlockResult = {
  numSeeds: 0,
  simulatedMs: 0,
  numEvents: 0,
  numServed: 0,
  numHedges: 0,
  failures: [],
};

/** @param print is given every line of a seed's transcript, where there is one */
export async function simulateBlock(
  { firstSeed, numSeeds, faults, bug }: SeedBlock,
  print?: (line: string) => void,
): Promise<BlockResult> {
  let sum = NO_RESULT;
  const restore = bug === undefined ? undefined : PLANTED_BUGS[bug]?.plant();
  for (let seed = firstSeed; seed < firstSeed + numSeeds; seed++) {
    const { violation, transcript, ...result } = await simulateSeed(seed, {
      faults,
      hasTranscript: print !== undefined,
    });
    for (const line of transcript) print?.(line);
    const failures = violation === undefined ? [] : [{ seed, violation }];
    sum = sumOf(sum, { ...result, numSeeds: 1, failures });
  }
  restore?.();
  return sum;
}

export function sumOf(a: BlockResult, b: BlockResult): BlockResult {
  return {
    numSeeds: a.numSeeds + b.numSeeds,
    simulatedMs: a.simulatedMs + b.simulatedMs,
    numEvents: a.numEvents + b.numEvents,
    numServed: a.numServed + b.numServed,
    numHedges: a.numHedges + b.numHedges,
    failures: [...a.failures, ...b.failures],
  };
}
