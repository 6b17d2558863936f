/**
 * What --numerics invariant costs: steps of fast and invariant passes in turn, in one run, with local experts and over
 * one worker process: `npx tsx test/bench/numerics.ts [layers] [rounds]`. Geometry of Qwen3-30B-A3B with few layers, as
 * dummy weights; 2 threads here, and 2 of the worker.
 */
import { NUMERICS, type Numerics } from '@expertmesh/shared/config/numerics';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { startWorkers } from '@expertmesh/test-kit/worker-fleet';
import {
  closeStore,
  loadStore,
  modelOverWorkers,
  modelWithLocalExperts,
  type LoadedStore,
  type ModelUnderTest,
} from '../golden/model-under-test.js';
import { dummyStore, readIntoPageCache } from './harness/dummy-store.js';
import { RepeatedStep } from './harness/repeated-step.js';
import { summarise } from './harness/statistics.js';

const numLayers = Number(process.argv[2] ?? 4);
const ROUNDS = Number(process.argv[3] ?? 40);
const SHAPES = [
  { name: 'decode, 1 sequence', numSequences: 1, numTokens: 1 },
  { name: 'decode, 4 sequences', numSequences: 4, numTokens: 1 },
  { name: 'decode, 16 sequences', numSequences: 16, numTokens: 1 },
  { name: 'prefill, 256 tokens', numSequences: 1, numTokens: 256 },
] as const;

const store = await dummyStore(tempDir(), { preset: 'qwen3-30b-a3b', numLayers });
readIntoPageCache(store);
const loaded: LoadedStore[] = [];
for (const numerics of NUMERICS) loaded.push(await loadStore(store, 'native', { numerics }));

const locals: ModelUnderTest[] = [];
for (const side of loaded) locals.push(await modelWithLocalExperts(side, () => undefined));
await report('local experts', locals);
for (const { close } of locals) await close();

const fleet = await startWorkers(store.dir, 1, ['--ep', 'native', '--num-threads', '2']);
const remotes: ModelUnderTest[] = [];
for (const side of loaded) remotes.push(await modelOverWorkers(side, fleet, 1, () => undefined));
await report('one worker', remotes);
for (const { close } of remotes) await close();
await fleet.stop();
for (const side of loaded) await closeStore(side);

async function report(where: string, models: readonly ModelUnderTest[]): Promise<void> {
  for (const shape of SHAPES) {
    const sides = models.map(({ forward }, index) => {
      const { createCache } = loaded[index] ?? fail();
      return { numerics: NUMERICS[index] ?? fail(), step: new RepeatedStep(forward, createCache, shape) };
    });
    for (const { step } of sides) await step.begin();
    const times: Record<Numerics, number[]> = { fast: [], invariant: [] };
    const numRounds = shape.numTokens === 1 ? ROUNDS : ROUNDS / 4;
    for (let round = 0; round <= numRounds; round++)
      for (const { numerics, step } of round % 2 === 0 ? sides : sides.toReversed()) {
        const taken = await step.ms(round);
        // The first round warms up.
        if (round > 0) times[numerics].push(taken);
      }
    for (const { step } of sides) step.end();
    print(`${where}, ${shape.name}`, times);
  }
}

function fail(): never {
  throw new Error('there is a side for each of --numerics');
}

function print(name: string, times: Record<Numerics, number[]>): void {
  const ratios = summarise(times.invariant.map((taken, index) => taken / (times.fast[index] ?? NaN)));
  const [fast, invariant] = NUMERICS.map((numerics) => summarise(times[numerics]));
  console.log(
    `${name}: fast ${ms(fast?.median)} (least ${ms(fast?.min)}), invariant ${ms(invariant?.median)} (least ` +
      `${ms(invariant?.min)}); median of the ratios of each round ${(ratios?.median ?? NaN).toFixed(3)}`,
  );
}

function ms(value = NaN): string {
  return `${value.toFixed(2)} ms`;
}
