import { BlockTable, type KvBlocks } from '../kv/block-table.js';
import { PrefixChain, rootOfScope } from '../kv/prefix-chain.js';
import { answerSeed } from '../sampling/random.js';
import { type SequenceRequest } from './engine-client.js';
import { checkRequest } from './request-check.js';
import { Sequence } from './sequence.js';
import { type SamplerFactory } from './token-sampler.js';

export interface IntakeOptions extends KvBlocks {
  readonly maxModelLen: number;
  readonly vocabSize: number;
  readonly createSampler: SamplerFactory;
  /** Seed of a request that names none. */
  readonly randomSeed: () => number;
}

/** Makes sequences of requests, in the order in which they come. */
export class Intake {
  readonly #options: IntakeOptions;
  #numArrived = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** @throws ExpertmeshError `invalid_argument` for a request that can never run. */
  take(id: number, request: SequenceRequest, nowMs: number): Sequence {
    const { pool, maxModelLen, vocabSize, createSampler, randomSeed } = this.#options;
    checkRequest(request, { maxModelLen, vocabSize, numBlocks: pool.numBlocks });
    const submission = {
      id,
      request,
      arrivalIndex: this.#numArrived++,
      deadlineMs: nowMs + (request.timeoutMs ?? Infinity),
      randomSeed: randomSeed(),
      numCachedTokens: 0,
      // Nothing predicts the first token.
      promptLogprobs: request.logprobs?.prompt === undefined ? [] : [undefined],
    };
    return new Sequence(submission, 0, {
      table: new BlockTable(this.#options),
      sampler: createSampler(request, answerSeed(request.sampling.seed, submission.randomSeed)),
      chain: new PrefixChain(rootOfScope(request)),
    });
  }
}
