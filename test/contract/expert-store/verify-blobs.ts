import { join } from 'node:path';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { BlobVerification, type VerifyOptions } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

/** Verifies blobs, all where none are named; without memory of earlier times where no cache directory is given. */
export async function verifyBlobs(
  store: ExpertStore,
  paths = store.manifest.blobs.map(({ path }) => path),
  options: Partial<VerifyOptions> = {},
  signal?: AbortSignal,
): Promise<void> {
  const cacheDir = options.cacheDir ?? join(tempDir(), 'cache');
  const verification = new BlobVerification(
    store,
    paths,
    { mode: 'changed', numThreads: 2, ...options, cacheDir },
    signal,
  );
  try {
    await verification.passed(paths);
  } finally {
    await verification.end();
  }
}
