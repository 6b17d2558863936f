import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { shardBlobPaths } from '@expertmesh/shared/expert-store/shard-blobs';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { forgetVerification } from '@expertmesh/shared/store-repair/forget-verification';
import { scrub } from '@expertmesh/shared/store-repair/scrubber';

export interface ScrubDenseOptions {
  readonly store: ExpertStore;
  readonly bytesPerSecond: number;
  /** Experts that this coordinator computes itself. */
  readonly localShards: readonly LayerShard[];
  /** Nothing that was computed may be believed any more. */
  readonly onDamaged: (error: ExpertmeshError) => Promise<void>;
}

/**
 * Compares what a coordinator computes with, which every token goes through, with the manifest, until it differs or
 * `signal` aborts.
 */
export async function scrubDense(options: ScrubDenseOptions, signal: AbortSignal): Promise<void> {
  const { store, bytesPerSecond, localShards } = options;
  const dense = store.manifest.blobs.filter(({ path }) => path.startsWith('dense/')).map(({ path }) => path);
  const paths = [...dense, ...localShards.flatMap(shardBlobPaths)];
  const found = new AbortController();
  const onDamaged = async (path: string, error: ExpertmeshError): Promise<void> => {
    found.abort();
    await options.onDamaged(error);
    await forgetVerification(store, path);
  };
  const until = AbortSignal.any([signal, found.signal]);
  await scrub({ store, bytesPerSecond, paths: () => paths, onIntact: () => undefined, onDamaged }, until);
}
