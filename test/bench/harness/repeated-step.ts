import { type ForwardPass } from '@expertmesh/coordinator/engine/forward';
import { type BlockTable } from '@expertmesh/coordinator/kv/block-table';

const CONTEXT_TOKENS = 32;

export interface StepShape {
  readonly numSequences: number;
  /** Of each sequence. */
  readonly numTokens: number;
}

/** A step of the engine that can be repeated: what it adds to the caches is taken off again. */
export class RepeatedStep {
  readonly #forward: ForwardPass;
  readonly #shape: StepShape;
  readonly #caches: readonly BlockTable[];

  constructor(forward: ForwardPass, createCache: () => BlockTable, shape: StepShape) {
    this.#forward = forward;
    this.#shape = shape;
    this.#caches = Array.from({ length: shape.numSequences }, createCache);
  }

  /** What decoded tokens have before them; a prompt has nothing. */
  async begin(): Promise<void> {
    if (this.#shape.numTokens === 1) await this.#step(CONTEXT_TOKENS, 0);
  }

  /** Milliseconds of one step, all layers and the head. Its tokens depend on the round alone. */
  async ms(round: number): Promise<number> {
    const lengths = this.#caches.map(({ length }) => length);
    const taken = await this.#step(this.#shape.numTokens, round + 1);
    for (const [index, cache] of this.#caches.entries()) cache.truncate(lengths[index] ?? 0);
    return taken;
  }

  end(): void {
    for (const cache of this.#caches) cache.truncate(0);
  }

  async #step(numTokens: number, seed: number): Promise<number> {
    const chunks = this.#caches.map((cache, index) => {
      cache.reserve(numTokens);
      const tokenIds = Array.from({ length: numTokens }, (_, i) => (seed * 7919 + index * 10_473 + i * 31) % 100_000);
      return { cache, tokenIds, numLogits: 1 };
    });
    const startMs = performance.now();
    const results = await this.#forward.run(chunks);
    const endMs = performance.now();
    for (const chunk of chunks) {
      const result = results.get(chunk);
      if (result?.ok !== true) throw result?.error ?? new Error('no result');
      chunk.cache.advance(numTokens);
    }
    return endMs - startMs;
  }
}
