import { moeLayerIndices, type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type DenseRunner } from '../dense/dense-runner.js';
import { type Chunk, type ForwardPass } from './forward.js';

/** Asks every worker for one of its experts of a layer. */
export interface WorkerProbe {
  /** @throws ExpertmeshError naming the worker that did not answer, or answered wrongly. */
  probe(layerIndex: number): Promise<void>;
}

/**
 * Proves that the model can generate: one token goes through every layer to logits, and in each layer every worker
 * computes an expert (the token's own routing reaches only some of them).
 *
 * @throws ExpertmeshError the first failure.
 */
export async function runCanary(
  spec: ModelSpec,
  dense: Pick<DenseRunner, 'createCache'>,
  forward: ForwardPass,
  workers: WorkerProbe,
): Promise<void> {
  const chunk: Chunk = { cache: dense.createCache(1), tokenIds: [0], numLogits: 1 };
  try {
    const result = (await forward.run([chunk])).get(chunk);
    if (result?.ok === false) throw result.error;
  } finally {
    chunk.cache.release();
  }
  for (const layerIndex of moeLayerIndices(spec)) await workers.probe(layerIndex);
}
