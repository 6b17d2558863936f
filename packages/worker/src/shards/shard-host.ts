import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type BlobVerification } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { shardBlobPaths } from '@expertmesh/shared/expert-store/shard-blobs';
import { type LayerShard, type LoadProgress } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Assignment } from './assignment.js';
import { type ServedShard } from './served-shard.js';
import { type LayerLoader } from './layer-loader.js';
import { isSameShard } from './layer-shard.js';
import { type LoadedLayer } from './loaded-layer.js';

export interface ShardHostOptions {
  /** As calls name it. */
  readonly storeId: string;
  readonly hiddenSize: number;
  readonly loadLayer: LayerLoader;
  readonly packedBytesOf: (shard: LayerShard) => number;
  /** Starts to verify the blobs of shards, ahead of their loading. */
  readonly verify: (shards: readonly LayerShard[], signal: AbortSignal) => ShardVerification;
}

export type ShardVerification = Pick<BlobVerification, 'passed' | 'end'>;

/**
 * The layers in memory. One load or unload at a time. What is served goes on being served until the next assignment is
 * complete; layers whose experts stay are kept, and a changed one is loaded beside its predecessor, which goes after
 * the last call that uses it.
 */
export class ShardHost {
  readonly #options: ShardHostOptions;
  // More than what is served while a load is under way, and after one that failed: the next one finds its layers here.
  #layers: LoadedLayer[] = [];
  #served: ServedShard<LoadedLayer> | undefined;

  constructor(options: ShardHostOptions) {
    this.#options = options;
  }

  get served(): ServedShard<LoadedLayer> | undefined {
    return this.#served;
  }

  /**
   * Loads what is assigned, serves it, and then drops the rest, after the calls that wait for it.
   *
   * @param onProgress called at the start and after each layer.
   * @throws ExpertmeshError as BlobVerification and LayerLoader; what was served before still is then.
   */
  async load(assignment: Assignment, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<void> {
    const served = new Set(this.#served?.layers.values());
    await this.#retireAllBut((layer) => served.has(layer) || isAssigned(layer, assignment));
    const progress = this.#startProgress(assignment);
    onProgress({ ...progress });
    const layers = new Map<number, LoadedLayer>();
    const missing = assignment.shards.filter((shard) => this.#kept(shard) === undefined);
    const verification = this.#options.verify(missing, signal);
    try {
      for (const shard of assignment.shards) {
        if (signal.aborted) throw new ExpertmeshError('cancelled', 'the load was cancelled');
        layers.set(shard.layerIndex, this.#kept(shard) ?? (await this.#loadLayer(shard, verification)));
        progress.loadedLayers += 1;
        progress.loadedBytes += this.#options.packedBytesOf(shard);
        onProgress({ ...progress });
      }
    } finally {
      await verification.end();
    }
    const { storeId, hiddenSize } = this.#options;
    this.#served = { storeId, hiddenSize, layers };
    await this.#retireAllBut((layer) => layers.get(layer.layerIndex) === layer);
  }

  /** The expert's weights are wrong: calls do not find it, and the next load brings its layer into memory anew. */
  withdraw(layerIndex: number, expertId: number): void {
    for (const layer of this.#layers) if (layer.layerIndex === layerIndex) layer.withdraw(expertId);
  }

  async unload(): Promise<void> {
    this.#served = undefined;
    await this.#retireAllBut(() => false);
  }

  #startProgress({ placementVersion, shards }: Assignment): LoadProgress {
    const totalBytes = shards.reduce((sum, shard) => sum + this.#options.packedBytesOf(shard), 0);
    return { placementVersion, loadedBytes: 0, totalBytes, loadedLayers: 0, totalLayers: shards.length };
  }

  #kept(shard: LayerShard): LoadedLayer | undefined {
    return this.#layers.find((layer) => layer.isIntact && isSameShard(layer.shard, shard));
  }

  async #loadLayer(shard: LayerShard, verification: ShardVerification): Promise<LoadedLayer> {
    await verification.passed(shardBlobPaths(shard));
    const loaded = await this.#options.loadLayer(shard);
    this.#layers.push(loaded);
    return loaded;
  }

  async #retireAllBut(isKept: (layer: LoadedLayer) => boolean): Promise<void> {
    const leaving = this.#layers.filter((layer) => !isKept(layer));
    this.#layers = this.#layers.filter(isKept);
    await Promise.all(leaving.map((layer) => layer.retire()));
  }
}

const isAssigned = (layer: LoadedLayer, { shards }: Assignment): boolean =>
  shards.some((shard) => isSameShard(shard, layer.shard));
