import { setTimeout as sleep } from 'node:timers/promises';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type ExpertStore } from '../expert-store/expert-store.js';
import { HashingThread } from '../expert-store/verification/hashing-thread.js';

export interface ScrubberOptions {
  readonly store: Pick<ExpertStore, 'blob' | 'requireBlobFile'>;
  readonly bytesPerSecond: number;
  /** The blobs that are computed with now; asked before each round. */
  readonly paths: () => readonly string[];
  /** A blob has been compared, and is right. */
  readonly onIntact: (sizeBytes: number) => void;
  /**
   * A blob is not what the manifest says, as it is in memory, or the disk fails that has it. It may be one that is not
   * computed with since the round began. Awaited before the next is read.
   */
  readonly onDamaged: (path: string, error: ExpertmeshError) => Promise<void> | void;
}

/** To find and open a file costs about as much processor time as this many bytes of it. */
const MIN_COUNTED_BYTES = 512 * 1024;
/** How long to wait for something to read. */
const IDLE_MS = 1_000;

/**
 * Compares the weights that are computed with, as they are in memory, with the manifest, one blob after the other and
 * over again, until `signal` aborts. The kernels compute on mapped files, whose pages are those of the page cache, and
 * reading a file gives the same pages: a bit that has flipped in memory is seen, and so is what somebody wrote into the
 * file. A blob is read at once, in a few milliseconds, and then comes the pause that makes up the rate. One that cannot
 * be read now, as when this process has no file descriptor left, says nothing of the weights: the next round looks
 * again.
 *
 * Never rejects.
 */
export async function scrub(options: ScrubberOptions, signal: AbortSignal): Promise<void> {
  const thread = new HashingThread();
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    const paths = options.paths();
    for (const path of paths) {
      const countedBytes = Math.max(options.store.blob(path).sizeBytes, MIN_COUNTED_BYTES);
      await pause((countedBytes / options.bytesPerSecond) * 1000, signal);
      if (isOver()) break;
      await scrubOne(path, options, thread, signal);
    }
    if (paths.length === 0) await pause(IDLE_MS, signal);
  }
  await thread.close();
}

async function scrubOne(
  path: string,
  { store, onIntact, onDamaged }: ScrubberOptions,
  thread: HashingThread,
  signal: AbortSignal,
): Promise<void> {
  const { sha256, sizeBytes } = store.blob(path);
  try {
    const file = await store.requireBlobFile(path);
    const { sha256: actual } = await thread.hash(file, signal);
    if (actual === sha256) {
      onIntact(sizeBytes);
      return;
    }
    throw new ExpertmeshError('data_loss', `${path} has sha256 ${actual} in memory, the manifest says ${sha256}`);
  } catch (thrown) {
    const error = ExpertmeshError.from(thrown);
    if (isDamage(error) && !signal.aborted) await onDamaged(path, error);
  }
}

// A file that was taken away is still mapped.
const isDamage = ({ code, message }: ExpertmeshError): boolean => code === 'data_loss' || /^EIO\b/.test(message);

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
