import { type Kernels } from '@expertmesh/kernels/kernels';
import { ExpertLayer } from '@expertmesh/kernels/expert-layer';
import { type KernelPool } from '@expertmesh/kernels/kernel-pool';
import { Linear } from '@expertmesh/kernels/linear';
import { expertLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { expertBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildExpertShardGraph } from '@expertmesh/shared/onnx/expert-graph';
import { GraphBuilder } from '@expertmesh/shared/onnx/graph-builder';
import { linear as linearOp } from '@expertmesh/shared/onnx/linear-op';
import { createOnnxSession } from '@expertmesh/shared/onnx/session';
import { randomFloats, writeDummyBlob } from '@expertmesh/test-kit/dummy-blobs';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { writeMatrices } from './matrix-file.js';

/** Something to measure. A pass goes once over all its weights. */
export interface KernelSubject {
  readonly title: string;
  readonly weightBytes: number;
  /** Of a pass with one row. */
  readonly numProducts: number;
  /** The native kernels on a pool, whose instruction set is its own. */
  native(numRows: number): (pool: KernelPool) => Promise<void>;
  /** ONNX Runtime, with as many threads. */
  onnx(numRows: number, numThreads: number): Promise<() => Promise<void>>;
}

/** Some equal matrices [outFeatures, inFeatures] one after the other: few stay in a cache, many come from memory. */
export function linearSubject(
  kernels: Kernels,
  quantisation: Quantisation,
  size: { readonly title: string; readonly outFeatures: number; readonly inFeatures: number; readonly count: number },
): KernelSubject {
  const { outFeatures, inFeatures, count } = size;
  const { dir, path, layout, names, matrixBytes } = writeMatrices(outFeatures, inFeatures, quantisation, count);
  const file = kernels.mapFile(`${dir}/${path}`);
  const matrices = names.map((name) => new Linear(kernels, file.matrix(layout, quantisation, name)));
  return {
    title: size.title,
    weightBytes: matrixBytes * count,
    numProducts: outFeatures * inFeatures * count,
    native: (numRows) => {
      const x = randomFloats(2, numRows * inFeatures);
      const y = new Float32Array(numRows * outFeatures);
      return async (pool) => {
        for (const matrix of matrices) await matrix.run(pool, x, y);
      };
    },
    onnx: async (numRows, numThreads) => {
      const data = randomFloats(2, numRows * inFeatures);
      const sessions = await Promise.all(
        names.map((name) => {
          const graph = new GraphBuilder('linear');
          const x = graph.input('x', 'float32', ['rows', inFeatures]);
          graph.output('y', 'float32', ['rows', outFeatures], linearOp(graph, x, { path, layout, quantisation }, name));
          return createOnnxSession(graph.build(), { weightsDir: dir, numThreads });
        }),
      );
      return async () => {
        for (const session of sessions)
          await session.run({ x: { type: 'float32', dims: [numRows, inFeatures], data } });
      };
    },
  };
}

/** 8 experts of each of some layers; all have all rows. */
export function expertsSubject(
  kernels: Kernels,
  spec: ModelSpec,
  quantisation: Quantisation,
  size: { readonly title: string; readonly numLayers: number },
): KernelSubject {
  const expertIds = [0, 1, 2, 3, 4, 5, 6, 7];
  const layout = expertLayout(spec, quantisation);
  const storeDir = tempDir();
  const layerIndices = Array.from({ length: size.numLayers }, (_, index) => index);
  for (const layerIndex of layerIndices)
    for (const id of expertIds)
      writeDummyBlob({ storeDir, path: expertBlobPath(layerIndex, id), layout, quantisation, seed: id + 1 });
  const layers = layerIndices.map(
    (layerIndex) => new ExpertLayer(kernels, { storeDir, spec, quantisation, layerIndex, expertIds }),
  );
  const numExperts = layers.length * expertIds.length;
  return {
    title: size.title,
    weightBytes: numExperts * layout.sizeBytes,
    numProducts: numExperts * 3 * spec.hiddenSize * spec.moeIntermediateSize,
    native: (numRows) => {
      const pairs = expertIds.flatMap((_, expert) => Array.from({ length: numRows }, (__, row) => ({ expert, row })));
      const call = {
        rows: randomFloats(1, numRows * spec.hiddenSize),
        pairRows: Uint32Array.from(pairs, ({ row }) => row),
        pairExperts: Uint32Array.from(pairs, ({ expert }) => expert),
        pairWeights: new Float32Array(pairs.length).fill(1 / expertIds.length),
        out: new Float32Array(numRows * spec.hiddenSize),
      };
      return async (pool) => {
        for (const layer of layers) await layer.run(pool, call);
      };
    },
    onnx: async (numRows, numThreads) => {
      const sessions = await Promise.all(
        layerIndices.map((layerIndex) =>
          createOnnxSession(buildExpertShardGraph(spec, quantisation, layerIndex, expertIds), {
            weightsDir: storeDir,
            numThreads,
          }),
        ),
      );
      const numPairs = expertIds.length * numRows;
      const data = randomFloats(1, numPairs * spec.hiddenSize);
      const counts = new BigInt64Array(expertIds.length).fill(BigInt(numRows));
      return async () => {
        for (const session of sessions)
          await session.run({
            rows: { type: 'float32', dims: [numPairs, spec.hiddenSize], data },
            counts: { type: 'int64', dims: [counts.length], data: counts },
          });
      };
    },
  };
}
