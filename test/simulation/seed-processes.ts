import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { NO_RESULT, sumOf, type BlockResult, type SeedBlock } from './seed-block.js';

const BLOCK_SEEDS = 20;
/** Almost nothing outlives its seed: the larger the young generation, the less of it is copied. */
const YOUNG_HEAP = '--max-semi-space-size=64';

/**
 * Runs the seeds on all cores, a process each.
 *
 * @param goesOn is told what came of some of them, in no order; no more are begun once it returns false
 * @throws Error when a process ends
 */
export async function simulateInProcesses(
  { firstSeed, numSeeds, ...rest }: SeedBlock,
  goesOn: (result: BlockResult) => boolean,
): Promise<BlockResult> {
  let endSeed = firstSeed + numSeeds;
  let nextSeed = firstSeed;
  const nextBlock = (): SeedBlock | undefined => {
    const block = { firstSeed: nextSeed, numSeeds: Math.max(0, Math.min(BLOCK_SEEDS, endSeed - nextSeed)), ...rest };
    nextSeed += block.numSeeds;
    return block.numSeeds === 0 ? undefined : block;
  };
  let sum = NO_RESULT;
  const take = (result: BlockResult): void => {
    sum = sumOf(sum, result);
    if (!goesOn(result)) endSeed = firstSeed;
  };
  const numProcesses = Math.min(availableParallelism(), Math.ceil(numSeeds / BLOCK_SEEDS));
  await Promise.all(Array.from({ length: numProcesses }, () => workOff(nextBlock, take)));
  return sum;
}

async function workOff(nextBlock: () => SeedBlock | undefined, take: (result: BlockResult) => void): Promise<void> {
  const child = fork(fileURLToPath(new URL('seed-process.ts', import.meta.url)), {
    execArgv: [...process.execArgv, YOUNG_HEAP],
  });
  const ended = once(child, 'exit').then(() => undefined);
  try {
    for (let block = nextBlock(); block !== undefined; block = nextBlock()) {
      const answered = once(child, 'message') as Promise<[BlockResult]>;
      child.send(block);
      const answer = await Promise.race([answered, ended]);
      if (answer === undefined) throw new Error(`a process ended in one of the seeds from ${String(block.firstSeed)}`);
      take(answer[0]);
    }
  } finally {
    child.kill();
  }
}
