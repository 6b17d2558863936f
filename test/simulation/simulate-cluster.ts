import { parseArgs } from 'node:util';
import { FAULTS, type Fault } from '@expertmesh/test-kit/simulation/fault-plan';
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.js';
import { simulateBlock, type BlockResult } from './seed-block.js';
import { simulateInProcesses } from './seed-processes.js';

// npm run simulate-cluster -- [--seed FIRST] [--seeds COUNT] [--faults LIST] [--transcript] [--planted]: the long form
// of cluster-simulation.test.ts; see docs/reliability.md.
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    faults: { type: 'string', default: FAULTS.join(',') },
    transcript: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
  },
});
/** A planted bug has to be found in so many. */
const MAX_SEEDS_TO_BUG = 1_000;
const faults = values.faults.split(',').map(requireFault);
const firstSeed = Number(values.seed);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const isWell = values.planted ? await findPlanted(PLANTED_BUGS) : await simulateSeeds(Number(values.seeds));
process.exitCode = isWell ? 0 : 1;

async function simulateSeeds(numSeeds: number): Promise<boolean> {
  const startMs = performance.now();
  const block = { firstSeed, numSeeds, faults };
  const isInProcess = values.transcript || numSeeds === 1;
  const result = await (isInProcess
    ? simulateBlock(block, values.transcript ? print : undefined)
    : simulateInProcesses(block, printFailures));
  if (isInProcess) printFailures(result);
  const seconds = (performance.now() - startMs) / 1000;
  const { simulatedMs, numEvents, numServed, numHedges, failures } = result;
  print(
    `${String(numSeeds)} seeds in ${seconds.toFixed(1)} s (${(numSeeds / seconds).toFixed(1)} a second), ` +
      `${(simulatedMs / 1000 / seconds).toFixed(0)} simulated hours an hour, ${String(numEvents)} events, ` +
      `${String(numServed)} rows served, ${String(numHedges)} calls hedged; ${String(failures.length)} seeds failed`,
  );
  return failures.length === 0;
}

function printFailures({ failures }: BlockResult): true {
  for (const { seed, violation } of failures)
    print(`seed ${String(seed)}: ${violation}; --seed ${String(seed)} --transcript tells the story`);
  return true;
}

/** Looks for each bug in as many seeds as it has to be found in. */
async function findPlanted(bugs: readonly PlantedBug[]): Promise<boolean> {
  let numFound = 0;
  for (const [bug, { name, faults: needed }] of bugs.entries()) {
    const block = { firstSeed, numSeeds: MAX_SEEDS_TO_BUG, faults: needed, bug };
    const { failures } = await simulateInProcesses(block, (result) => result.failures.length === 0);
    const [first] = failures.toSorted((a, b) => a.seed - b.seed);
    if (first !== undefined) numFound += 1;
    print(`${name}: ${first === undefined ? 'not found' : `seed ${String(first.seed)}: ${first.violation}`}`);
  }
  return numFound === bugs.length;
}

function requireFault(name: string): Fault {
  const fault = FAULTS.find((known) => known === name);
  if (fault === undefined) throw new Error(`--faults ${name}: it must be of ${FAULTS.join(', ')}`);
  return fault;
}
