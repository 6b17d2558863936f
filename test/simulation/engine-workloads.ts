import { AnswerSampler } from '@expertmesh/coordinator/sampling/answer-sampler';
import { answerSeed } from '@expertmesh/coordinator/sampling/random';
import { BlockPool } from '@expertmesh/coordinator/kv/block-pool';
import { Drafter } from '@expertmesh/coordinator/speculation/drafter';
import { Engine } from '@expertmesh/coordinator/engine/engine';
import { PrefixRestorer } from '@expertmesh/coordinator/engine/prefix-restorer';
import { type SamplerFactory } from '@expertmesh/coordinator/engine/token-sampler';
import { simulate, type EngineParts } from '@expertmesh/test-kit/engine-simulation';
import { randomWorkload } from '@expertmesh/test-kit/engine-workload';

const createSampler: SamplerFactory = (request, seed) => new AnswerSampler({ request, seed });

const PARTS: EngineParts = {
  open: ({ numBlocks, onDrop, archive, hasDrafts, ...options }) => {
    const pool = new BlockPool(numBlocks, onDrop);
    const restorer = archive && new PrefixRestorer({ pool, memory: options.memory, archive });
    const drafts = hasDrafts ? new Drafter() : undefined;
    return { pool, engine: new Engine({ ...options, pool, restorer, drafts, createSampler }) };
  },
  createSampler,
  answerSeed,
};

// npm run simulate-engine -- [workloads] [first seed]: the long form of engine-simulation.test.ts.
const [numWorkloads = 5000, firstSeed = 1] = process.argv.slice(2).map(Number);
const sums = { numSteps: 0, numPreemptions: 0, numCachedPromptTokens: 0, numPromptTokens: 0, numGenerationTokens: 0 };
const startMs = performance.now();
for (let seed = firstSeed; seed < firstSeed + numWorkloads; seed++) {
  try {
    const stats = await simulate(randomWorkload(seed), PARTS);
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += stats[key];
  } catch (error) {
    throw new Error(`seed ${String(seed)}: ${String(error)}`, { cause: error });
  }
}
const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
process.stdout.write(`${String(numWorkloads)} workloads in ${seconds} s: ${JSON.stringify(sums)}\n`);
