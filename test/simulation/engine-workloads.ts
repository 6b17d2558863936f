import { AnswerSampler } from '@expertmesh/coordinator/sampling/answer-sampler';
import { answerSeed } from '@expertmesh/coordinator/sampling/random';
import { BlockPool } from '@expertmesh/coordinator/kv/block-pool';
import { Drafter } from '@expertmesh/coordinator/speculation/drafter';
import { Engine } from '@expertmesh/coordinator/engine/engine';
import { PrefixRestorer } from '@expertmesh/coordinator/engine/prefix-restorer';
import { simulate } from '@expertmesh/test-kit/engine-simulation';
import { randomWorkload } from '@expertmesh/test-kit/engine-workload';

// npm run simulate-engine -- [workloads] [first seed]: the long form of engine-simulation.test.ts.
const [numWorkloads = 5000, firstSeed = 1] = process.argv.slice(2).map(Number);
const sums = { numSteps: 0, numPreemptions: 0, numCachedPromptTokens: 0, numPromptTokens: 0, numGenerationTokens: 0 };
const startMs = performance.now();
for (let seed = firstSeed; seed < firstSeed + numWorkloads; seed++) {
  try {
    const stats = await simulate(randomWorkload(seed), {
      createPool: (numBlocks, onDrop) => new BlockPool(numBlocks, onDrop),
      createRestorer: (options) => new PrefixRestorer(options),
      createEngine: (options) => new Engine(options),
      createSampler: (request, samplerSeed) => new AnswerSampler({ request, seed: samplerSeed }),
      answerSeed,
      createDrafts: () => new Drafter(),
    });
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += stats[key];
  } catch (error) {
    console.error(`seed ${String(seed)}:`, error);
    process.exit(1);
  }
}
const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
console.log(`${String(numWorkloads)} workloads in ${seconds} s`, sums);
