import { simulateBlock, type SeedBlock } from './seed-block.js';

// The program of a process that seed-processes.ts forks: it is sent blocks of seeds, and sends back what came of each.
// Errors are made by the thousand here, and nobody reads where.
Error.stackTraceLimit = 0;
process.on('message', (block: SeedBlock) => {
  void simulateBlock(block).then((result) => process.send?.(result));
});
