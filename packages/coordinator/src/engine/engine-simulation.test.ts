import { expect, it } from 'vitest';
import { simulate, type EngineParts } from '@expertmesh/test-kit/engine-simulation';
import { randomWorkload } from '@expertmesh/test-kit/engine-workload';
import { BlockPool } from '../kv/block-pool.js';
import { answerSeed } from '../sampling/random.js';
import { AnswerSampler } from '../sampling/answer-sampler.js';
import { Drafter } from '../speculation/drafter.js';
import { Engine } from './engine.js';
import { PrefixRestorer } from './prefix-restorer.js';
import { type SamplerFactory } from './token-sampler.js';

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

it('ends every sequence once with the tokens that it has alone, and leaks no block, in 200 workloads', async () => {
  let numPreemptions = 0;
  let numCachedPromptTokens = 0;
  let numAcceptedTokens = 0;
  for (let seed = 1; seed <= 200; seed++) {
    try {
      const stats = await simulate(randomWorkload(seed), PARTS);
      numPreemptions += stats.numPreemptions;
      numCachedPromptTokens += stats.numCachedPromptTokens;
      numAcceptedTokens += stats.numAcceptedTokens;
    } catch (error) {
      throw new Error(`seed ${String(seed)}: ${String(error)}`, { cause: error });
    }
  }
  expect(numPreemptions).toBeGreaterThan(100);
  expect(numCachedPromptTokens).toBeGreaterThan(10_000);
  expect(numAcceptedTokens).toBeGreaterThan(10);
}, 60_000);
