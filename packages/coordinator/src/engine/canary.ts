import { moeLayerIndices, type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type CacheView } from '../kv/cache-view.js';
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
 * @param cache empty, with a block that nobody else has.
 * @throws ExpertmeshError the first failure.
 */
export async function runCanary(
  spec: ModelSpec,
  cache: CacheView,
  forward: ForwardPass,
  workers: WorkerProbe,
): Promise<void> {
  const chunk: Chunk = { cache, tokenIds: [0], numLogits: 1 };
  const result = (await forward.run([chunk])).get(chunk);
  if (result?.ok === false) throw result.error;
  for (const layerIndex of moeLayerIndices(spec)) await workers.probe(layerIndex);
}
