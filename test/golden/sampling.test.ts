import { AnswerSampler } from '@expertmesh/coordinator/sampling/answer-sampler';
import { type AnswerRequest } from '@expertmesh/coordinator/sampling/answer-request';
import { tokenLogprobs } from '@expertmesh/coordinator/sampling/logprobs';
import { type TokenLogprobs } from '@expertmesh/coordinator/sampling/sampling-params';
import { loadKernels } from '@expertmesh/kernels/kernels';
import { describe, expect, it } from 'vitest';
import { chiSquareProbability } from './chi-square.js';
import { loadModelGolden } from './model-golden.js';
import { closeStore, loadStore, modelWithLocalExperts, packedStore, type LoadedStore } from './model-under-test.js';
import { loadSamplingGolden, type LogprobsGolden, type SettingGolden } from './sampling-golden.js';

const MAX_LOGPROB_DIFFERENCE = 1e-4;
const NUM_TOP = 5;
const NUM_DRAWS = 20_000;
/** Draws are seeded, so this never fails by chance; it is what one would call unlikely. */
const MIN_PROBABILITY = 0.01;

const golden = loadSamplingGolden();
const model = loadModelGolden('qwen3-moe-demo');

describe.each(['cpu', 'native'] as const)('log-probabilities of the demo model on %s', (ep) => {
  it.skipIf(ep === 'native' && loadKernels() === undefined)('are those of transformers', async () => {
    const loaded = await loadStore(await packedStore(model.checkpointDir, 32), ep);
    try {
      for (const sequence of golden.sequences) expectAgreement(await logprobsOf(loaded, sequence.tokenIds), sequence);
    } finally {
      await closeStore(loaded);
    }
  });
});

/** Of each token but the first. */
async function logprobsOf(loaded: LoadedStore, tokenIds: readonly number[]): Promise<TokenLogprobs[]> {
  const local = await modelWithLocalExperts(loaded, () => undefined);
  const cache = loaded.createCache();
  cache.reserve(tokenIds.length);
  const chunk = { cache, tokenIds: tokenIds.slice(0, -1), numLogits: tokenIds.length - 1 };
  const result = (await local.forward.run([chunk])).get(chunk);
  if (result?.ok !== true) throw result?.error ?? new Error('the forward pass lost its chunk');
  const { vocabSize } = loaded.store.spec;
  const logprobs = tokenIds
    .slice(1)
    .map((tokenId, row) =>
      tokenLogprobs(result.logits.subarray(row * vocabSize, (row + 1) * vocabSize), tokenId, NUM_TOP),
    );
  cache.release();
  await local.close();
  return logprobs;
}

// Tokens that are about as likely may change places; what stands at a place is as likely as it shall be either way.
function expectAgreement(actual: readonly TokenLogprobs[], expected: LogprobsGolden): void {
  expect(actual).toHaveLength(expected.logprobs.length);
  for (const [row, { logprob, rank, top }] of actual.entries()) {
    expectClose([logprob], expected.logprobs.slice(row, row + 1));
    expectClose(
      top.map((likely) => likely.logprob),
      expected.topLogprobs[row],
    );
    if (rank > NUM_TOP) continue;
    expect(rank).toBe(expected.ranks[row]);
    expect(top[rank - 1]?.logprob).toBe(logprob);
  }
}

function expectClose(actual: readonly number[], expected: readonly number[] | undefined): void {
  expect(actual).toHaveLength(expected?.length ?? 0);
  for (const [index, value] of actual.entries())
    expect(Math.abs(value - (expected?.[index] ?? NaN))).toBeLessThan(MAX_LOGPROB_DIFFERENCE);
}

describe('20,000 draws', () => {
  it.each(golden.distributions.settings.map((setting) => [setting.name, setting] as const))(
    'with %s have the distribution that the logits processors of transformers leave',
    (_, setting) => {
      const probabilities = new Map(setting.tokenIds.map((id, index) => [id, setting.probabilities[index] ?? 0]));
      expect(chiSquareProbability(draws(setting), probabilities)).toBeGreaterThan(MIN_PROBABILITY);
    },
  );

  it('are told from a distribution that is a little different', () => {
    const [flat] = golden.distributions.settings;
    if (flat === undefined) throw new Error('the golden has no settings');
    const probabilities = new Map(flat.tokenIds.map((id, index) => [id, flat.probabilities[index] ?? 0]));
    expect(chiSquareProbability(draws({ ...flat, temperature: 0.75 }), probabilities)).toBeLessThan(1e-6);
  });
});

/** How often each token is drawn, by an answer of its own and with its own seed each time. */
function draws(setting: SettingGolden): Map<number, number> {
  const { promptIndex, position, answerTokenIds } = golden.distributions;
  const prompt = model.prompts[promptIndex];
  const logits = prompt?.prefillLogits(position);
  if (prompt === undefined || logits === undefined) throw new Error('the golden has no such row');
  const request = requestOf(setting, prompt.promptTokenIds.slice(0, position + 1));
  const dependsOnAnswer = setting.repetitionPenalty !== undefined;
  const drawn = new Map<number, number>();
  for (let seed = 0; seed < NUM_DRAWS; seed++) {
    const sampler = new AnswerSampler({ request, seed });
    for (const tokenId of dependsOnAnswer ? answerTokenIds : []) sampler.next(certain(tokenId, logits.length));
    const { tokenId } = sampler.next(logits.slice());
    drawn.set(tokenId, (drawn.get(tokenId) ?? 0) + 1);
  }
  return drawn;
}

const NEUTRAL = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
};

function requestOf(setting: SettingGolden, promptTokenIds: readonly number[]): AnswerRequest {
  const {
    name: _,
    logitBias,
    badWords,
    minTokens,
    stopTokenIds = [],
    tokenIds: __,
    probabilities: ___,
    ...sampling
  } = setting;
  return {
    promptTokenIds,
    maxTokens: 100,
    sampling: { ...NEUTRAL, ...sampling },
    controls: { logitBias: new Map(logitBias), ...(badWords && { badWords }), ...(minTokens && { minTokens }) },
    stopTokenIds,
  };
}

function certain(tokenId: number, vocabSize: number): Float32Array {
  const logits = new Float32Array(vocabSize);
  logits[tokenId] = 1e6;
  return logits;
}
