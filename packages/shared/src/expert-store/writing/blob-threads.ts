import { setMaxListeners } from 'node:events';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { ThreadClient } from '../../threads/thread-client.js';
import { type StoreFile } from '../manifest.js';
import { type BlobContract, type BlobJob, type BlobThreadData } from './blob-job.js';

export interface BlobThreadsOptions extends BlobThreadData {
  readonly numThreads: number;
  readonly signal: AbortSignal;
  /** Called with work bytes as they are done, and with each blob that is complete and on the disk. */
  readonly onBytes: (numBytes: number) => void;
  readonly onBlob: (blob: StoreFile) => void;
}

/** A thread's own objects are few; what it holds of the weights lies outside of this heap. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 };

/**
 * Writes blobs on several threads, the largest first so that no thread is left alone with one at the end.
 *
 * @throws the first error of any thread, or ExpertmeshError `cancelled` after an abort, when all threads have ended.
 */
export async function runBlobJobs(jobs: readonly BlobJob[], options: BlobThreadsOptions): Promise<void> {
  const waiting = jobs.toSorted((a, b) => b.blob.layout.sizeBytes - a.blob.layout.sizeBytes).values();
  const failure = new AbortController();
  const stop = AbortSignal.any([options.signal, failure.signal]);
  // Each thread adds one, however many there are.
  setMaxListeners(0, stop);
  const runThread = (): Promise<void> =>
    writeBlobs(waiting, options, stop).catch((error: unknown) => {
      failure.abort();
      throw error;
    });
  const threads = Array.from({ length: Math.min(options.numThreads, jobs.length) }, runThread);
  const ends = await Promise.allSettled(threads);
  // Threads that were stopped because another one failed say `cancelled`; the reason comes first.
  const errors = ends.flatMap((end) => (end.status === 'rejected' ? [ExpertmeshError.from(end.reason)] : []));
  const error = errors.find(({ code }) => code !== 'cancelled') ?? errors[0];
  if (error !== undefined) throw error;
}

async function writeBlobs(
  waiting: Iterable<BlobJob>,
  { dir, quantisation, onBytes, onBlob }: BlobThreadsOptions,
  stop: AbortSignal,
): Promise<void> {
  if (stop.aborted) throw interrupted();
  const { thread } = await ThreadClient.start<BlobContract>({
    name: 'a writing thread',
    entry: new URL('./blob-thread.js', import.meta.url),
    data: { dir, quantisation },
    on: {},
    resourceLimits: RESOURCE_LIMITS,
  });
  const options = { interrupt: stop, cancelled: interrupted, onProgress: onBytes };
  try {
    for (const job of waiting) onBlob(await thread.requestOrEnd('write', job, options));
  } finally {
    await thread.terminate();
  }
}

const interrupted = (): ExpertmeshError => new ExpertmeshError('cancelled', 'writing the store was interrupted');
