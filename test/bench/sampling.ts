// What choosing a token costs at Qwen3's vocabulary, by what a request asks for: `npx tsx test/bench/sampling.ts`.
import { AnswerSampler } from '@expertmesh/coordinator/sampling/answer-sampler';
import { type AnswerRequest } from '@expertmesh/coordinator/sampling/answer-request';
import { type ConstraintState } from '@expertmesh/coordinator/sampling/constraint-state';
import { uniform } from '@expertmesh/coordinator/sampling/random';
import { type SamplingParams } from '@expertmesh/coordinator/sampling/sampling-params';
import { maskOf } from '@expertmesh/coordinator/sampling/token-mask';
import { print } from './harness/print.js';

const VOCAB_SIZE = 151_936;
const NUM_ROWS = 8;
const NUM_TOKENS = 200;

const QWEN: SamplingParams = {
  temperature: 0.6,
  topK: 20,
  topP: 0.95,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
};
const PENALTIES = { repetitionPenalty: 1.1, presencePenalty: 0.5, frequencyPenalty: 0.1 };

/** What a request asks for beside a prompt of 2,000 tokens. */
interface Case {
  readonly sampling?: Partial<SamplingParams>;
  readonly request?: Partial<AnswerRequest>;
  /** Of the tokens, those that a constraint leaves. */
  readonly leaves?: (tokenId: number) => boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  greedy: { sampling: { temperature: 0 } },
  'top-k 20, top-p 0.95': {},
  'top-p 0.95 alone': { sampling: { topK: 0 } },
  'temperature alone': { sampling: { topK: 0, topP: 1 } },
  'min-p 0.05 alone': { sampling: { topK: 0, topP: 1, minP: 0.05 } },
  'top-k, top-p, penalties': { sampling: PENALTIES },
  'top-k, top-p, logprobs 5': { request: { logprobs: { answer: 5 } } },
  'top-k, top-p, penalties, logprobs 20': { sampling: PENALTIES, request: { logprobs: { answer: 20 } } },
  'top-k, top-p, 300 biases': {
    request: { controls: { logitBias: new Map(Array.from({ length: 300 }, (_, i) => [i * 500, 1])) } },
  },
  'top-k, top-p, mask of 30 tokens': { leaves: (tokenId) => tokenId % 5_000 === 3 },
  'top-k, top-p, mask of half the tokens': { leaves: (tokenId) => uniform(9, tokenId) < 0.5 },
  'top-k, top-p, mask of all but 100 tokens': { leaves: (tokenId) => tokenId % 1_519 !== 0 },
};

const rows = Array.from({ length: NUM_ROWS }, (_, seed) => likeLogits(seed));
print(`ms a token at a vocabulary of ${VOCAB_SIZE.toLocaleString('en')}, least, median and 99th percentile`);
for (const measured of Object.values(CASES)) measure(measured);
for (const [name, measured] of Object.entries(CASES)) {
  const times = measure(measured);
  const at = (share: number): string => (times[Math.floor(share * times.length)] ?? NaN).toFixed(3);
  print(`${name.padEnd(42)} ${at(0)} ${at(0.5)} ${at(0.99)}`);
}

/** Milliseconds of each token, ascending. */
function measure({ sampling, request, leaves }: Case): number[] {
  const sampler = new AnswerSampler({
    request: {
      promptTokenIds: Array.from({ length: 2_000 }, (_, i) => (i * 37) % VOCAB_SIZE),
      maxTokens: NUM_TOKENS + 1,
      stopTokenIds: [151_645],
      ...request,
      sampling: { ...QWEN, ...sampling },
    },
    seed: 1,
    constraint: leaves && standingConstraint(leaves),
  });
  const work = new Float32Array(VOCAB_SIZE);
  const times = Array.from({ length: NUM_TOKENS }, (_, i) => {
    work.set(rows[i % NUM_ROWS] ?? []);
    const start = performance.now();
    sampler.next(work);
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b);
}

/** The same mask again and again, as inside a string of JSON. */
function standingConstraint(leaves: (tokenId: number) => boolean): ConstraintState {
  const mask = maskOf(Array.from({ length: VOCAB_SIZE }, (_, tokenId) => tokenId).filter(leaves), VOCAB_SIZE);
  const constraint: ConstraintState = {
    mask: () => mask,
    accept: () => undefined,
    clone: () => constraint,
    isComplete: false,
    isFinished: false,
    forcedBytes: () => new Uint8Array(),
  };
  return constraint;
}

/** A bell of unlikely tokens with a few likely ones far above it. */
function likeLogits(seed: number): Float32Array {
  return Float32Array.from({ length: VOCAB_SIZE }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(uniform(seed, i) || Number.MIN_VALUE));
    return 2.5 * radius * Math.cos(2 * Math.PI * uniform(seed + NUM_ROWS, i)) + (i % 20_011 === 0 ? 12 : 0);
  });
}
