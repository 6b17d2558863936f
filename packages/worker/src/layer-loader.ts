import { verifyBlob } from '@expertmesh/shared/expert-store/verify-blob';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { buildExpertShardGraph } from '@expertmesh/shared/onnx/expert-graph';
import { createOnnxSession } from '@expertmesh/shared/onnx/session';
import { shardBlobPaths } from './layer-shard.js';
import { LoadedLayer, localIndices } from './loaded-layer.js';
import { maxPairsPerRun, OnnxLayerRunner, RunnerScratch } from './onnx-layer-runner.js';

/**
 * Verifies the blobs of one layer's shard and brings them into memory.
 *
 * @throws ExpertmeshError `not_found` or `data_loss` for a blob that is missing or not what the manifest says, `cancelled` after an abort,
 * `internal` when ONNX Runtime refuses it.
 */
export type LayerLoader = (shard: LayerShard, signal: AbortSignal) => Promise<LoadedLayer>;

export function createLayerLoader(store: ExpertStore, numThreads: number): LayerLoader {
  const { spec, quantisation } = store;
  const scratch = new RunnerScratch();
  return async (shard, signal) => {
    for (const path of shardBlobPaths(shard)) await verifyBlob(store, path, signal);
    const graph = buildExpertShardGraph(spec, quantisation, shard.layerIndex, shard.expertIds);
    const runner = new OnnxLayerRunner({
      session: await createOnnxSession(graph, { weightsDir: store.dir, numThreads }),
      hiddenSize: spec.hiddenSize,
      numLocalExperts: shard.expertIds.length,
      localIndices: localIndices(shard, spec.numExperts),
      scratch,
      maxPairsPerRun: maxPairsPerRun(spec.hiddenSize),
    });
    return new LoadedLayer(shard, spec.numExperts, runner);
  };
}
