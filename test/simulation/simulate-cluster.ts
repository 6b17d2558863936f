import { FAULTS, type Fault } from '@expertmesh/test-kit/simulation/fault-plan';
import { simulateSeed } from '@expertmesh/test-kit/simulation/simulate-seed';
import { parseArgs } from 'node:util';

// npm run simulate-cluster -- [--seed FIRST] [--seeds COUNT] [--faults LIST] [--transcript]: the long form of
// cluster-simulation.test.ts. A seed that fails is run again with a transcript, which --seed N --transcript prints too.
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    faults: { type: 'string', default: FAULTS.join(',') },
    transcript: { type: 'boolean', default: false },
  },
});
const faults = values.faults.split(',').map(requireFault);
const [firstSeed, numSeeds] = [Number(values.seed), Number(values.seeds)];
const sums = { simulatedMs: 0, numEvents: 0, numServed: 0 };
const startMs = performance.now();
const failed: number[] = [];
for (let seed = firstSeed; seed < firstSeed + numSeeds; seed++) {
  const result = await simulateSeed(seed, { faults, hasTranscript: values.transcript });
  for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += result[key];
  for (const line of result.transcript) process.stdout.write(`${line}\n`);
  if (result.violation === undefined) continue;
  failed.push(seed);
  process.stdout.write(`seed ${String(seed)}: ${result.violation}\n`);
}
const seconds = (performance.now() - startMs) / 1000;
process.stdout.write(
  `${String(numSeeds)} seeds in ${seconds.toFixed(1)} s (${(numSeeds / seconds).toFixed(1)} a second), ` +
    `${(sums.simulatedMs / 1000 / seconds).toFixed(0)} simulated hours per hour, ${String(sums.numEvents)} events, ` +
    `${String(sums.numServed)} rows served; ${String(failed.length)} seeds failed\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

function requireFault(name: string): Fault {
  const fault = FAULTS.find((known) => known === name);
  if (fault === undefined) throw new Error(`--faults ${name}: it must be of ${FAULTS.join(', ')}`);
  return fault;
}
