import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { ThreadClient } from '../../threads/thread-client.js';
import { type HashContract, type HashedFile } from './hash-file.js';

/** Its objects are few, and the file's bytes lie outside of this heap. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

/**
 * Hashes files in a thread of its own, which is started when the first one comes, and anew when it has failed or was
 * interrupted. One at a time.
 */
export class HashingThread {
  #thread: ThreadClient<HashContract> | undefined;

  /** @throws ExpertmeshError `cancelled` after an abort, else whatever reading the file has met. */
  async hash(file: string, signal: AbortSignal): Promise<HashedFile> {
    const cancelled = (): ExpertmeshError => new ExpertmeshError('cancelled', `checking ${file} was cancelled`);
    if (signal.aborted) throw cancelled();
    const thread = await this.#started();
    return thread.requestOrEnd('hash', file, { interrupt: signal, cancelled });
  }

  /** Ends the thread, also in the middle of a file. */
  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  async #started(): Promise<ThreadClient<HashContract>> {
    if (this.#thread !== undefined && this.#thread.endedBy === undefined) return this.#thread;
    const { thread } = await ThreadClient.start<HashContract>({
      name: 'a hashing thread',
      entry: new URL('./hash-thread.js', import.meta.url),
      data: undefined,
      on: {},
      resourceLimits: RESOURCE_LIMITS,
    });
    this.#thread = thread;
    return thread;
  }
}
