import { type ExpertLayer } from '@expertmesh/kernels/expert-layer';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { moeLayerIndices, type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type LayerRunner } from './layer-runner.js';

/** All experts of a model on the native kernels, with which a dense runner on these can compute whole layers. */
export class NativeExperts {
  readonly #byLayer: ReadonlyMap<number, ExpertLayer>;

  constructor(byLayer: ReadonlyMap<number, ExpertLayer>) {
    this.#byLayer = byLayer;
  }

  /** Layers with experts. */
  get numLayers(): number {
    return this.#byLayer.size;
  }

  /** undefined in a layer without experts. */
  ofLayer(layerIndex: number): ExpertLayer | undefined {
    return this.#byLayer.get(layerIndex);
  }
}

/** undefined unless the shards are all experts of the model, and the runners are those of the native kernels. */
export function nativeExpertsOf(
  spec: ModelSpec,
  shards: readonly LayerShard[],
  runnerOf: (layerIndex: number) => LayerRunner | undefined,
): NativeExperts | undefined {
  const byLayer = new Map<number, ExpertLayer>();
  for (const { layerIndex, expertIds } of shards) {
    const native = runnerOf(layerIndex)?.native;
    const hasAll = expertIds.length === spec.numExperts && expertIds.every((expertId, index) => expertId === index);
    if (hasAll && native !== undefined) byLayer.set(layerIndex, native);
  }
  return moeLayerIndices(spec).every((layerIndex) => byLayer.has(layerIndex)) ? new NativeExperts(byLayer) : undefined;
}
