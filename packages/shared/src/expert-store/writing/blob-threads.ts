import { setMaxListeners } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type StoreFile } from '../manifest.js';
import { type BlobJob, type BlobThreadData, type BlobThreadMessage } from './blob-job.js';

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
  const runThread = async (): Promise<void> => {
    const { dir, quantisation } = options;
    const workerData: BlobThreadData = { dir, quantisation };
    const thread = new Worker(new URL('./blob-thread.js', import.meta.url), {
      workerData,
      resourceLimits: RESOURCE_LIMITS,
    });
    try {
      for (const job of waiting) options.onBlob(await runJob(thread, job, stop, options.onBytes));
    } catch (error) {
      failure.abort();
      throw error;
    } finally {
      await thread.terminate();
    }
  };
  const threads = Array.from({ length: Math.min(options.numThreads, jobs.length) }, runThread);
  const ends = await Promise.allSettled(threads);
  // Threads that were stopped because another one failed say `cancelled`; the reason comes first.
  const errors = ends.flatMap((end) => (end.status === 'rejected' ? [ExpertmeshError.from(end.reason)] : []));
  const error = errors.find(({ code }) => code !== 'cancelled') ?? errors[0];
  if (error !== undefined) throw error;
}

function runJob(
  thread: Worker,
  job: BlobJob,
  stop: AbortSignal,
  onBytes: (numBytes: number) => void,
): Promise<StoreFile> {
  const ended = new AbortController();
  return new Promise<StoreFile>((resolve, reject) => {
    const onAbort = (): void => {
      reject(new ExpertmeshError('cancelled', 'writing the store was interrupted'));
    };
    if (stop.aborted) onAbort();
    stop.addEventListener('abort', onAbort, { signal: ended.signal });
    thread.on('error', reject);
    thread.on('message', (message: BlobThreadMessage) => {
      if (message.kind === 'progress') onBytes(message.numBytes);
      else if (message.kind === 'done') resolve(message.blob);
      else reject(new ExpertmeshError(message.error.code, message.error.message));
    });
    if (!stop.aborted) thread.postMessage(job);
  }).finally(() => {
    ended.abort();
    thread.removeAllListeners('error').removeAllListeners('message');
  });
}
