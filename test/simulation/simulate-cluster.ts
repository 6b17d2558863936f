import { parseArgs } from 'node:util';
import { FAULTS, type Fault } from '@expertmesh/test-kit/simulation/fault-plan';
import { simulateSeed } from '@expertmesh/test-kit/simulation/simulate-seed';
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.js';

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
const faults = values.faults.split(',').map(requireFault);
const firstSeed = Number(values.seed);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const isWell = values.planted ? await findPlanted(PLANTED_BUGS) : await simulateSeeds(Number(values.seeds));
process.exitCode = isWell ? 0 : 1;

async function simulateSeeds(numSeeds: number): Promise<boolean> {
  const sums = { simulatedMs: 0, numEvents: 0, numServed: 0, numFailed: 0 };
  const startMs = performance.now();
  for (let seed = firstSeed; seed < firstSeed + numSeeds; seed++) {
    const result = await simulateSeed(seed, { faults, hasTranscript: values.transcript });
    for (const key of ['simulatedMs', 'numEvents', 'numServed'] as const) sums[key] += result[key];
    for (const line of result.transcript) print(line);
    if (result.violation === undefined) continue;
    sums.numFailed += 1;
    print(`seed ${String(seed)}: ${result.violation}; --seed ${String(seed)} --transcript tells the story`);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const { simulatedMs, numEvents, numServed, numFailed } = sums;
  print(
    `${String(numSeeds)} seeds in ${seconds.toFixed(1)} s (${(numSeeds / seconds).toFixed(1)} a second), ` +
      `${(simulatedMs / 1000 / seconds).toFixed(0)} simulated hours an hour, ${String(numEvents)} events, ` +
      `${String(numServed)} rows served; ${String(numFailed)} seeds failed`,
  );
  return numFailed === 0;
}

/** Looks for each bug in as many seeds as it has to be found in. */
async function findPlanted(bugs: readonly PlantedBug[]): Promise<boolean> {
  let numFound = 0;
  for (const { name, plant, faults: needed } of bugs) {
    const restore = plant();
    const found = await firstViolation(1_000, needed);
    restore();
    if (found !== undefined) numFound += 1;
    print(`${name}: ${found ?? 'not found'}`);
  }
  return numFound === bugs.length;
}

async function firstViolation(numSeeds: number, needed: readonly Fault[]): Promise<string | undefined> {
  for (let seed = firstSeed; seed < firstSeed + numSeeds; seed++) {
    const { violation } = await simulateSeed(seed, { faults: needed });
    if (violation !== undefined) return `seed ${String(seed)}: ${violation}`;
  }
  return undefined;
}

function requireFault(name: string): Fault {
  const fault = FAULTS.find((known) => known === name);
  if (fault === undefined) throw new Error(`--faults ${name}: it must be of ${FAULTS.join(', ')}`);
  return fault;
}
