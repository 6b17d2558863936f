import { ExpertLayer } from '@expertmesh/kernels/expert-layer';
import { loadKernels, whyNoKernels } from '@expertmesh/kernels/kernels';
import { hasKernelsFor } from '@expertmesh/kernels/mapped-file';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { verifyBlob } from '@expertmesh/shared/expert-store/verify-blob';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { buildExpertShardGraph } from '@expertmesh/shared/onnx/expert-graph';
import { createOnnxSession } from '@expertmesh/shared/onnx/session';
import { type LayerRunner } from './layer-runner.js';
import { shardBlobPaths } from './layer-shard.js';
import { LoadedLayer, localIndices } from './loaded-layer.js';
import { NativeLayerRunner } from './native-layer-runner.js';
import { maxPairsPerRun, OnnxLayerRunner } from './onnx-layer-runner.js';
import { RunnerScratch } from './runner-scratch.js';

/**
 * Verifies the blobs of one layer's shard and brings them into memory.
 *
 * @throws ExpertmeshError `not_found` or `data_loss` for a blob that is missing or not what the manifest says, `cancelled` after an abort,
 * `internal` when ONNX Runtime refuses it.
 */
export type LayerLoader = (shard: LayerShard, signal: AbortSignal) => Promise<LoadedLayer>;

/** What computes: ONNX Runtime on the CPU, or the native kernels. */
export type ExecutionProvider = 'cpu' | 'native';

/** @throws ExpertmeshError `failed_precondition` for native kernels that were not built or cannot read the store. */
export function createLayerLoader(store: ExpertStore, provider: ExecutionProvider, numThreads: number): LayerLoader {
  const createRunner = provider === 'native' ? nativeRunners(store, numThreads) : onnxRunners(store, numThreads);
  return async (shard, signal) => {
    for (const path of shardBlobPaths(shard)) await verifyBlob(store, path, signal);
    return new LoadedLayer(shard, store.spec.numExperts, await createRunner(shard));
  };
}

type CreateRunner = (shard: LayerShard) => Promise<LayerRunner>;

function onnxRunners({ dir, spec, quantisation }: ExpertStore, numThreads: number): CreateRunner {
  const scratch = new RunnerScratch();
  return async (shard) => {
    const graph = buildExpertShardGraph(spec, quantisation, shard.layerIndex, shard.expertIds);
    return new OnnxLayerRunner({
      session: await createOnnxSession(graph, { weightsDir: dir, numThreads }),
      hiddenSize: spec.hiddenSize,
      numLocalExperts: shard.expertIds.length,
      localIndices: localIndices(shard, spec.numExperts),
      scratch,
      maxPairsPerRun: maxPairsPerRun(spec.hiddenSize),
    });
  };
}

function nativeRunners({ dir, spec, quantisation }: ExpertStore, numThreads: number): CreateRunner {
  const kernels = loadKernels();
  if (kernels === undefined)
    throw new ExpertmeshError('failed_precondition', `--ep native: ${whyNoKernels() ?? 'no kernels'}; or use --ep cpu`);
  if (!hasKernelsFor(quantisation))
    throw new ExpertmeshError(
      'failed_precondition',
      `--ep native has no kernels for ${String(quantisation.bits)} bits: use --ep cpu, or pack with 4, 8 or 32 bits`,
    );
  const pool = kernels.createPool({ numThreads });
  const scratch = new RunnerScratch();
  return (shard) => {
    const { layerIndex, expertIds } = shard;
    const layer = new ExpertLayer(kernels, { storeDir: dir, spec, quantisation, layerIndex, expertIds });
    const runner = new NativeLayerRunner({
      layer,
      pool,
      hiddenSize: spec.hiddenSize,
      numLocalExperts: expertIds.length,
      localIndices: localIndices(shard, spec.numExperts),
      scratch,
    });
    return Promise.resolve(runner);
  };
}
