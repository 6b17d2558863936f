import { Worker } from 'node:worker_threads';
import { ExpertmeshError, fromErrorData } from '../../errors/expertmesh-error.js';
import { type HashAnswer, type HashedFile } from './hash-file.js';

/** Its objects are few, and the file's bytes lie outside of this heap. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

/** Hashes files in a thread of its own, which is started when the first one comes. One at a time. */
export class HashingThread {
  #thread: Worker | undefined;

  /** @throws ExpertmeshError `cancelled` after an abort, else whatever reading the file has met. */
  async hash(file: string, signal: AbortSignal): Promise<HashedFile> {
    const thread = (this.#thread ??= new Worker(new URL('./hash-thread.js', import.meta.url), {
      resourceLimits: RESOURCE_LIMITS,
    }));
    const ended = new AbortController();
    try {
      return await new Promise<HashedFile>((resolve, reject) => {
        const onAbort = (): void => {
          reject(new ExpertmeshError('cancelled', `checking ${file} was cancelled`));
        };
        if (signal.aborted) onAbort();
        signal.addEventListener('abort', onAbort, { signal: ended.signal });
        thread.once('error', reject);
        thread.once('message', (answer: HashAnswer) => {
          if (answer.kind === 'done') resolve(answer.hashed);
          else reject(fromErrorData(answer.error));
        });
        thread.postMessage(file);
      });
    } finally {
      ended.abort();
      thread.removeAllListeners('error').removeAllListeners('message');
    }
  }

  /** Ends the thread, also in the middle of a file. */
  async close(): Promise<void> {
    await this.#thread?.terminate();
  }
}
