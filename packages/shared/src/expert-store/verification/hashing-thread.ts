import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ExpertmeshError, fromErrorData } from '../../errors/expertmesh-error.js';
import { type HashAnswer, type HashedFile } from './hash-file.js';

/** Its objects are few, and the file's bytes lie outside of this heap. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

/**
 * Hashes files in a thread of its own, which is started when the first one comes, and anew when it has failed. One at a
 * time.
 */
export class HashingThread {
  #thread: Worker | undefined;

  /** @throws ExpertmeshError `cancelled` after an abort, else whatever reading the file has met. */
  async hash(file: string, signal: AbortSignal): Promise<HashedFile> {
    const thread = (this.#thread ??= this.#start());
    const answered = once(thread, 'message', { signal });
    thread.postMessage(file);
    const [answer] = (await answered.catch((thrown: unknown) => {
      throw signal.aborted ? new ExpertmeshError('cancelled', `checking ${file} was cancelled`) : thrown;
    })) as [HashAnswer];
    if (answer.kind === 'done') return answer.hashed;
    throw fromErrorData(answer.error);
  }

  /** Ends the thread, also in the middle of a file. */
  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  #start(): Worker {
    const thread = new Worker(new URL('./hash-thread.js', import.meta.url), { resourceLimits: RESOURCE_LIMITS });
    const forget = (): void => {
      if (this.#thread === thread) this.#thread = undefined;
    };
    // It may also fail when nobody waits for it, which must not end the process.
    thread.on('error', forget);
    thread.once('exit', forget);
    return thread;
  }
}
