import { ExpertLayer } from '@expertmesh/kernels/expert-layer';
import { type KernelPool } from '@expertmesh/kernels/kernel-pool';
import { type Kernels } from '@expertmesh/kernels/kernels';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { buildExpertShardGraph } from '@expertmesh/shared/onnx/expert-graph';
import { graphForm, type OnnxProvider } from '@expertmesh/shared/onnx/onnx-provider';
import { createOnnxSession, type OnnxSession } from '@expertmesh/shared/onnx/session';
import { type ComputeBackend } from '../compute-backend.js';
import { type LayerRunner } from './layer-runner.js';
import { localIndices } from './local-indices.js';
import { NativeLayerRunner } from './native-layer-runner.js';
import { maxPairsPerRun, OnnxLayerRunner } from './onnx-layer-runner.js';
import { RunnerScratch } from './runner-scratch.js';

/**
 * Brings some experts of a layer, by logical id, into memory. Their blobs have been verified.
 *
 * @throws ExpertmeshError `data_loss` when they cannot be read, `internal` when ONNX Runtime refuses them.
 */
export type CreateLayerRunner = (layerIndex: number, expertIds: readonly number[]) => Promise<LayerRunner>;

/** What runners need of a store. */
export type StoredExperts = Pick<ExpertStore, 'dir' | 'spec' | 'quantisation'>;

/** Runners that share what one thread computes with: only one of them runs at a time. */
export function layerRunners(store: StoredExperts, backend: ComputeBackend): CreateLayerRunner {
  switch (backend.kind) {
    case 'native':
      return nativeRunners(store, backend.kernels, backend.pool);
    case 'onnx':
      return onnxRunners(store, backend.provider, backend.numThreads);
  }
}

function onnxRunners(
  { dir, spec, quantisation }: StoredExperts,
  provider: OnnxProvider,
  numThreads: number,
): CreateLayerRunner {
  const scratch = new RunnerScratch();
  const form = graphForm(provider);
  return async (layerIndex, expertIds) => {
    const expertsPerSession = Math.min(form.maxBranches, expertIds.length);
    const sessions: OnnxSession[] = [];
    for (let first = 0; first < expertIds.length; first += expertsPerSession) {
      const some = expertIds.slice(first, first + expertsPerSession);
      const graph = buildExpertShardGraph(spec, quantisation, layerIndex, some, form);
      sessions.push(await createOnnxSession(graph, { weightsDir: dir, numThreads, provider }));
    }
    return new OnnxLayerRunner({
      sessions,
      expertsPerSession,
      hiddenSize: spec.hiddenSize,
      numLocalExperts: expertIds.length,
      localIndices: localIndices(expertIds, spec.numExperts),
      scratch,
      maxPairsPerRun: maxPairsPerRun(spec.hiddenSize),
    });
  };
}

function nativeRunners(
  { dir, spec, quantisation }: StoredExperts,
  kernels: Kernels,
  pool: KernelPool,
): CreateLayerRunner {
  const scratch = new RunnerScratch();
  return async (layerIndex, expertIds) => {
    const layer = new ExpertLayer(kernels, { storeDir: dir, spec, quantisation, layerIndex, expertIds });
    await layer.prefault();
    return new NativeLayerRunner({
      layer,
      pool,
      hiddenSize: spec.hiddenSize,
      numLocalExperts: expertIds.length,
      localIndices: localIndices(expertIds, spec.numExperts),
      scratch,
    });
  };
}
