import { KvCache } from '../dense/kv-cache.js';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type FinishReason, type SequenceRequest } from './engine-client.js';
import { uniform } from './random.js';
import { sampleToken } from './sampler.js';
import { type SchedulableSequence } from './scheduler.js';
import { TokenCounts } from './token-counts.js';

/** A sequence that has its place: tokens so far, its KV cache, and the state of its sampling. */
export class Sequence implements SchedulableSequence {
  readonly id: number;
  readonly cache: KvCache;
  /** KV-cache bytes set aside for it until it ends. */
  readonly reservedBytes: number;
  readonly #request: SequenceRequest;
  readonly #tokenIds: number[];
  readonly #counts: TokenCounts;
  readonly #stopTokenIds: ReadonlySet<number>;
  readonly #seed: number;

  /** @param randomSeed Used when the request names none. */
  constructor(spec: ModelSpec, id: number, request: SequenceRequest, reservedBytes: number, randomSeed: number) {
    this.id = id;
    this.reservedBytes = reservedBytes;
    this.cache = new KvCache(spec, request.promptTokenIds.length + request.maxTokens);
    this.#request = request;
    this.#tokenIds = [...request.promptTokenIds];
    this.#counts = new TokenCounts(request.promptTokenIds);
    this.#stopTokenIds = new Set(request.stopTokenIds);
    this.#seed = request.sampling.seed ?? randomSeed;
  }

  get numTokens(): number {
    return this.#tokenIds.length;
  }

  get numComputed(): number {
    return this.cache.length;
  }

  get numGenerated(): number {
    return this.#tokenIds.length - this.#request.promptTokenIds.length;
  }

  /** The next `count` tokens to compute. */
  uncomputed(count: number): number[] {
    return this.#tokenIds.slice(this.numComputed, this.numComputed + count);
  }

  /**
   * Samples the next token and appends it.
   *
   * @param logits fp32 [vocab]; changed in place.
   */
  sample(logits: Float32Array): { readonly tokenId: number; readonly finishReason: FinishReason | undefined } {
    const draw = (): number => uniform(this.#seed, this.numGenerated);
    const tokenId = sampleToken(logits, this.#request.sampling, this.#counts, draw);
    this.#tokenIds.push(tokenId);
    this.#counts.add(tokenId);
    if (this.#stopTokenIds.has(tokenId)) return { tokenId, finishReason: 'stop' };
    return { tokenId, finishReason: this.numGenerated >= this.#request.maxTokens ? 'length' : undefined };
  }
}
