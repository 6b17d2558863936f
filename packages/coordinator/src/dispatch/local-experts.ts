import { type ComputeBackend } from '@expertmesh/compute/compute-backend';
import { layerRunners } from '@expertmesh/compute/experts/expert-runners';
import { localIndices, missingExperts } from '@expertmesh/compute/experts/local-indices';
import { type LayerRunner } from '@expertmesh/compute/experts/layer-runner';
import { nativeExpertsOf } from '@expertmesh/compute/experts/native-experts';
import { ExpertsNotHeldError } from '@expertmesh/shared/errors/experts-not-held-error';
import { shardBlobPaths } from '@expertmesh/shared/expert-store/shard-blobs';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type BlobVerification } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type AllExperts } from './expert-dispatcher.js';
import { type ExpertLink, type OutgoingCall } from './expert-link.js';

/** Experts that the coordinator computes itself, as one more member of the placement. Lives in the engine thread. */
export class LocalExperts implements ExpertLink {
  readonly peer = 'the coordinator itself';
  readonly allExperts: AllExperts | undefined;
  readonly #layers: ReadonlyMap<number, LocalLayer>;
  // Runners share their scratch memory, so that only one may run at a time.
  #last: Promise<unknown> = Promise.resolve();

  private constructor(layers: ReadonlyMap<number, LocalLayer>, allExperts: AllExperts | undefined) {
    this.#layers = layers;
    this.allExperts = allExperts;
  }

  /**
   * Loads the experts, layer by layer.
   *
   * @param onLayer called after each shard.
   * @param verification waited for layer by layer; absent where all of it has been verified.
   * @throws ExpertmeshError `not_found` or `data_loss` for a blob that is missing or not what the manifest says.
   */
  static async load(
    store: ExpertStore,
    backend: ComputeBackend,
    shards: readonly LayerShard[],
    onLayer: () => void,
    verification?: Pick<BlobVerification, 'passed'>,
  ): Promise<LocalExperts> {
    const createRunner = layerRunners(store, backend);
    const layers = new Map<number, LocalLayer>();
    for (const shard of shards) {
      const { layerIndex, expertIds } = shard;
      await verification?.passed(shardBlobPaths(shard));
      const runner = await createRunner(layerIndex, expertIds);
      layers.set(layerIndex, { runner, localIndices: localIndices(expertIds, store.spec.numExperts) });
      onLayer();
    }
    const runnerOf = (layerIndex: number): LayerRunner | undefined => layers.get(layerIndex)?.runner;
    return new LocalExperts(layers, nativeExpertsOf(store.spec, shards, runnerOf));
  }

  /** Needs no deadline: nothing is between the call and the computation. @throws ExpertsNotHeldError */
  async call(call: OutgoingCall): Promise<DispatchAnswer> {
    const arrivedAtMs = performance.now();
    const before = this.#last;
    const running = before.then(() => this.#compute({ ...call, callId: 0 }, arrivedAtMs));
    this.#last = running.catch(() => undefined);
    return running;
  }

  /** The check of an answer that no wire could have changed counts for nobody. */
  countWrongAnswer(): void {
    return;
  }

  async close(): Promise<void> {
    await this.#last;
    for (const { runner } of this.#layers.values()) await runner.close();
  }

  async #compute(call: DispatchCall, arrivedAtMs: number): Promise<DispatchAnswer> {
    const runner = this.#runnerFor(call);
    const startMs = performance.now();
    const [sums = new Float32Array()] = await runner.run([call]);
    const endMs = performance.now();
    const { callId, layerIndex, placementVersion, numRows, hiddenSize, sumUnits } = call;
    return {
      callId,
      layerIndex,
      placementVersion,
      numRows,
      hiddenSize,
      rowDtype: sumUnits === undefined ? 'fp32' : 'exact',
      numPairs: call.expertIds.length,
      error: undefined,
      queueUs: (startMs - arrivedAtMs) * 1000,
      computeUs: (endMs - startMs) * 1000,
      numCallsTogether: 1,
      // The view holds until the next run, and another micro-batch may run before this one is combined.
      rows: sums.slice(),
    };
  }

  #runnerFor({ layerIndex, expertIds }: DispatchCall): LayerRunner {
    const layer = this.#layers.get(layerIndex);
    const missing = layer === undefined ? [...new Set(expertIds)] : missingExperts(expertIds, layer.localIndices);
    if (layer !== undefined && missing.length === 0) return layer.runner;
    throw new ExpertsNotHeldError(
      missing,
      `${this.peer} does not hold expert ${String(missing[0])} of layer ${String(layerIndex)}: ` +
        'its experts are chosen when it starts',
    );
  }
}

interface LocalLayer {
  readonly runner: LayerRunner;
  /** By logical expert: its position in the layer, or -1. */
  readonly localIndices: Int32Array;
}
