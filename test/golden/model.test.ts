import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LayerRoutes } from '@expertmesh/coordinator/dense/dense-runner';
import { type Chunk, type ForwardPass, type RoutingObserver } from '@expertmesh/coordinator/engine/forward';
import { argmax } from '@expertmesh/coordinator/sampling/largest';
import { loadKernels } from '@expertmesh/kernels/kernels';
import { hasSoftwareVulkan, useSoftwareVulkan } from '@expertmesh/test-kit/software-vulkan';
import { startWorkers, type WorkerFleet } from '@expertmesh/test-kit/worker-fleet';
import { loadModelGolden, modelGoldenNames, type ModelGolden, type PromptGolden } from './model-golden.js';
import {
  closeStore,
  loadStore,
  modelOverWorkers,
  modelWithLocalExperts,
  packedStore,
  type LoadedStore,
  type ModelUnderTest,
} from './model-under-test.js';

/** How a model is sharded and what its layers are do not meet: one model is run over all of these. */
const WORKER_COUNTS = [1, 2, 3, 5, 8];
const SHARDED_MODEL = 'qwen3-moe-demo';
const MAX_LOGIT_DIFFERENCE = 2e-3;
const MIN_SAME_EXPERTS = 0.999;
/** Routing weights are at most 1 and follow from logits that agree far better than the limit above. */
const MAX_WEIGHT_DIFFERENCE = 1e-4;

/** What a run over a prompt and its greedy steps gave, against transformers. */
interface Comparison {
  maxLogitDifference: number;
  maxWeightDifference: number;
  numRoutings: number;
  numSameExperts: number;
  greedyTokenIds: number[];
}

const PROVIDERS = [
  { ep: 'cpu', title: 'ONNX Runtime' },
  { ep: 'native', title: 'native kernels' },
] as const;

/** All agree there; these are quick on a driver without a GPU, and have biases and layers without experts. */
const WEBGPU_MODELS = ['attention-bias', 'mlp-layers'];

describe.each(modelGoldenNames)('%s with 32 bits', (name) => {
  const golden = loadModelGolden(name);
  const workerCounts = name === SHARDED_MODEL ? WORKER_COUNTS : [3];

  describe.each(PROVIDERS)('on $title', ({ ep }) => {
    const isMissing = ep === 'native' && loadKernels() === undefined;
    let loaded: LoadedStore;
    let fleet: WorkerFleet;

    beforeAll(async () => {
      if (isMissing) return;
      const store = await packedStore(golden.checkpointDir, 32);
      loaded = await loadStore(store, ep);
      fleet = await startWorkers(store.dir, Math.max(...workerCounts), ['--ep', ep]);
    });
    afterAll(async () => {
      if (isMissing) return;
      await fleet.stop();
      await closeStore(loaded);
    });

    it.skipIf(isMissing).each(workerCounts)('agrees with transformers over %i worker processes', async (numWorkers) => {
      await expectAgreement((observe) => modelOverWorkers(loaded, fleet, numWorkers, observe));
    });

    it.skipIf(isMissing)('agrees with transformers with local experts', async () => {
      await expectAgreement((observe) => modelWithLocalExperts(loaded, observe));
    });

    const expectAgreement = (open: (observe: RoutingObserver) => Promise<ModelUnderTest>): Promise<void> =>
      expectAgreementWith(golden, loaded, open);
  });

  if (WEBGPU_MODELS.includes(name))
    it.skipIf(!hasSoftwareVulkan)('agrees with transformers on WebGPU with local experts', async () => {
      useSoftwareVulkan();
      const loaded = await loadStore(await packedStore(golden.checkpointDir, 32), 'webgpu');
      try {
        await expectAgreementWith(golden, loaded, (observe) => modelWithLocalExperts(loaded, observe));
      } finally {
        await closeStore(loaded);
      }
    });
});

describe('attention-bias with --numerics invariant', () => {
  it.skipIf(loadKernels() === undefined)('agrees with transformers with local experts and over 3 workers', async () => {
    const golden = loadModelGolden('attention-bias');
    const store = await packedStore(golden.checkpointDir, 32);
    const loaded = await loadStore(store, 'native', { numerics: 'invariant' });
    const fleet = await startWorkers(store.dir, 3, ['--ep', 'native']);
    try {
      await expectAgreementWith(golden, loaded, (observe) => modelWithLocalExperts(loaded, observe));
      await expectAgreementWith(golden, loaded, (observe) => modelOverWorkers(loaded, fleet, 3, observe));
    } finally {
      await fleet.stop();
      await closeStore(loaded);
    }
  });
});

async function expectAgreementWith(
  golden: ModelGolden,
  loaded: LoadedStore,
  open: (observe: RoutingObserver) => Promise<ModelUnderTest>,
): Promise<void> {
  const routings: Routing[] = [];
  const model = await open((layerIndex, routed) => {
    routings.push({ layerIndex, ...copyOf(routed) });
  });
  try {
    for (const prompt of golden.prompts) {
      const comparison = await compare(model.forward, loaded, prompt, routings);
      expect(comparison.maxLogitDifference).toBeLessThanOrEqual(MAX_LOGIT_DIFFERENCE);
      expect(comparison.maxWeightDifference).toBeLessThanOrEqual(MAX_WEIGHT_DIFFERENCE);
      expect(comparison.numSameExperts / comparison.numRoutings).toBeGreaterThanOrEqual(MIN_SAME_EXPERTS);
      expect(comparison.numRoutings).toBe(golden.moeLayers.length * numPositions(prompt));
      expect(comparison.greedyTokenIds).toEqual(prompt.greedyTokenIds);
    }
  } finally {
    await model.close();
  }
}

interface Routing {
  readonly layerIndex: number;
  readonly expertIds: Int32Array;
  readonly routingWeights: Float32Array;
}

const copyOf = ({ expertIds, routingWeights }: LayerRoutes): Omit<Routing, 'layerIndex'> => ({
  expertIds: expertIds.slice(),
  routingWeights: routingWeights.slice(),
});

const numPositions = (prompt: PromptGolden): number => prompt.promptTokenIds.length + prompt.numDecodeSteps;

/**
 * Prefills in two chunks, so that chunked prefill is judged too, and then decodes. Each step feeds the judge's token.
 */
async function compare(
  forward: ForwardPass,
  { store, createCache }: LoadedStore,
  prompt: PromptGolden,
  routings: Routing[],
): Promise<Comparison> {
  const { vocabSize, topK } = store.spec;
  const cache = createCache();
  const comparison: Comparison = {
    maxLogitDifference: 0,
    maxWeightDifference: 0,
    numRoutings: 0,
    numSameExperts: 0,
    greedyTokenIds: [],
  };
  const runChunk = async (tokenIds: readonly number[]): Promise<Float32Array> => {
    const first = cache.length;
    cache.reserve(tokenIds.length);
    const logits = await logitsOf(forward, { cache, tokenIds, numLogits: tokenIds.length });
    cache.advance(tokenIds.length);
    for (const routing of routings.splice(0)) compareRouting(comparison, prompt, routing, first, topK);
    // They hold until the next pass only.
    return logits.slice();
  };

  const cut = Math.floor(prompt.promptTokenIds.length / 3);
  const head = await runChunk(prompt.promptTokenIds.slice(0, cut));
  const tail = await runChunk(prompt.promptTokenIds.slice(cut));
  for (const position of prompt.promptTokenIds.keys()) {
    const rows = position < cut ? head : tail;
    const row = position < cut ? position : position - cut;
    compareLogits(comparison, rows.subarray(row * vocabSize, (row + 1) * vocabSize), prompt.prefillLogits(position));
  }
  comparison.greedyTokenIds.push(argmax(tail.subarray(-vocabSize)));
  for (let step = 0; step < prompt.numDecodeSteps; step++) {
    const logits = await runChunk(prompt.greedyTokenIds.slice(step, step + 1));
    compareLogits(comparison, logits, prompt.decodeLogits(step));
    comparison.greedyTokenIds.push(argmax(logits));
  }
  cache.release();
  return comparison;
}

async function logitsOf(forward: ForwardPass, chunk: Chunk): Promise<Float32Array> {
  const result = (await forward.run([chunk])).get(chunk);
  if (result?.ok !== true) throw result?.error ?? new Error('the forward pass lost its chunk');
  return result.logits;
}

function compareLogits(comparison: Comparison, actual: Float32Array, expected: Float32Array | undefined): void {
  if (expected === undefined) return;
  for (const [tokenId, logit] of expected.entries()) {
    const difference = Math.abs(logit - (actual[tokenId] ?? NaN));
    // A comparison with NaN is false, so a logit that is no number must not slip through here.
    if (!(difference <= comparison.maxLogitDifference)) comparison.maxLogitDifference = difference;
  }
}

function compareRouting(
  comparison: Comparison,
  prompt: PromptGolden,
  { layerIndex, expertIds, routingWeights }: Routing,
  firstPosition: number,
  topK: number,
): void {
  for (let row = 0; row * topK < expertIds.length; row++) {
    const expected = prompt.experts(layerIndex, firstPosition + row);
    const weights = prompt.weights(layerIndex, firstPosition + row);
    const actual = expertIds.subarray(row * topK, (row + 1) * topK);
    comparison.numRoutings += 1;
    if (!actual.every((expertId) => expected.includes(expertId))) continue;
    comparison.numSameExperts += 1;
    for (const [k, expertId] of actual.entries()) {
      const weight = weights[expected.indexOf(expertId)] ?? NaN;
      const difference = Math.abs(weight - (routingWeights[row * topK + k] ?? NaN));
      if (!(difference <= comparison.maxWeightDifference)) comparison.maxWeightDifference = difference;
    }
  }
}
