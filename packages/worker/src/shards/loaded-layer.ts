import { type LayerRunner } from '@expertmesh/compute/experts/layer-runner';
import { localIndices } from '@expertmesh/compute/experts/local-indices';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type ServedLayer } from './served-shard.js';

/**
 * One layer's experts in memory. Whoever will run it later acquires it, so that it is not closed under a waiting call.
 */
export class LoadedLayer implements ServedLayer {
  readonly shard: LayerShard;
  readonly localIndices: Int32Array;
  readonly runner: LayerRunner;
  #isIntact = true;
  #numUsers = 0;
  #onUnused: () => void = () => undefined;

  constructor(shard: LayerShard, numExperts: number, runner: LayerRunner) {
    this.shard = shard;
    this.localIndices = localIndices(shard.expertIds, numExperts);
    this.runner = runner;
  }

  get layerIndex(): number {
    return this.shard.layerIndex;
  }

  /** Whether all of its experts' weights are believed to be right. */
  get isIntact(): boolean {
    return this.#isIntact;
  }

  /** Nothing is computed with this expert any more. It counts as not held. */
  withdraw(expertId: number): void {
    this.localIndices[expertId] = -1;
    this.#isIntact = false;
  }

  acquire(): void {
    this.#numUsers += 1;
  }

  release(): void {
    this.#numUsers -= 1;
    if (this.#numUsers === 0) this.#onUnused();
  }

  /** Frees the layer as soon as nobody uses it. Nobody may acquire it any more. */
  async retire(): Promise<void> {
    if (this.#numUsers > 0) await new Promise<void>((resolve) => (this.#onUnused = resolve));
    await this.runner.close();
  }
}
