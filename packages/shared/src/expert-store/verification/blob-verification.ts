import { stat } from 'node:fs/promises';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type ExpertStore } from '../expert-store.js';
import { stampOf } from './file-stamp.js';
import { type HashedFile } from './hash-file.js';
import { HashingThread } from './hashing-thread.js';
import { VerifiedFiles } from './verified-files.js';
import { type VerifyMode } from './verify-mode.js';

export interface VerifyOptions {
  readonly mode: VerifyMode;
  /** Threads that hash; of more than 8, 8 are used. */
  readonly numThreads: number;
  /** Where the record of verified files is kept. */
  readonly cacheDir: string;
}

/** At 1.7 GB/s each they hash as fast as a memory can be read and copied. */
const MAX_THREADS = 8;

/**
 * Compares blobs with the manifest, size and sha256, in the order given and ahead of whoever loads them. It works in
 * threads of its own and goes on until all are checked, `signal` aborts or it is ended.
 */
export class BlobVerification {
  readonly #store: ExpertStore;
  readonly #mode: VerifyMode;
  readonly #verdicts: ReadonlyMap<string, Verdict>;
  readonly #record: Promise<VerifiedFiles>;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #lanes: readonly Promise<void>[];

  constructor(store: ExpertStore, paths: readonly string[], options: VerifyOptions, signal?: AbortSignal) {
    this.#store = store;
    this.#mode = options.mode;
    this.#verdicts = new Map(paths.map((path) => [path, new Verdict()]));
    this.#record = VerifiedFiles.open(options.cacheDir);
    this.#signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    const waiting = this.#verdicts.entries();
    const numLanes = Math.min(options.numThreads, MAX_THREADS, paths.length);
    this.#lanes = Array.from({ length: numLanes }, () => this.#runLane(waiting));
  }

  /**
   * Resolves when these blobs are what the manifest says.
   *
   * @param paths some of those that the verification was started with.
   * @throws ExpertmeshError `not_found` for a missing file, `data_loss` for other bytes than were written,
   * `failed_precondition` for one that lies outside of the store, `cancelled` after an abort.
   */
  async passed(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      const verdict = this.#verdicts.get(path);
      if (verdict === undefined) throw new ExpertmeshError('internal', `the verification does not include ${path}`);
      await verdict.reached;
    }
    await (await this.#record).save();
  }

  /** Stops what is under way, ends the threads and keeps what was found. */
  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#lanes);
    await (await this.#record).save();
  }

  async #runLane(waiting: Iterable<[string, Verdict]>): Promise<void> {
    const thread = new HashingThread();
    for (const [path, verdict] of waiting) {
      const checked = this.#check(path, thread);
      verdict.settle(checked);
      await checked.catch(isForWhoeverWaits);
    }
    await thread.close();
  }

  async #check(path: string, thread: HashingThread): Promise<void> {
    if (this.#signal.aborted) throw new ExpertmeshError('cancelled', `checking ${path} was cancelled`);
    const file = await this.#store.requireBlobFile(path);
    const { sha256 } = this.#store.blob(path);
    const record = await this.#record;
    if (this.#mode === 'changed' && record.has(stampOf(await stat(file, { bigint: true })), sha256)) return;
    const hashed = await this.#hash(file, thread);
    if (hashed.sha256 !== sha256) throw wrongHash(file, hashed.sha256, sha256);
    if (hashed.stamp !== undefined) record.add(hashed.stamp, sha256);
  }

  async #hash(file: string, thread: HashingThread): Promise<HashedFile> {
    try {
      return await thread.hash(file, this.#signal);
    } catch (thrown) {
      const cause = ExpertmeshError.from(thrown);
      if (cause.code === 'cancelled') throw cause;
      throw new ExpertmeshError('data_loss', `${file} cannot be read: ${cause.message}`, { cause });
    }
  }
}

export function wrongHash(file: string, actual: string, expected: string): ExpertmeshError {
  return new ExpertmeshError(
    'data_loss',
    `${file} has sha256 ${actual}, the manifest says ${expected}: copy this file from the store again, or pack again`,
  );
}

/** What is found of one blob, for those who wait already and those who ask later. */
class Verdict {
  readonly reached: Promise<void>;
  #resolve: (outcome: Promise<void>) => void = () => undefined;

  constructor() {
    this.reached = new Promise((resolve) => (this.#resolve = resolve));
    // Nobody may be waiting yet, and after an abort nobody will.
    this.reached.catch(isForWhoeverWaits);
  }

  settle(outcome: Promise<void>): void {
    this.#resolve(outcome);
  }
}

const isForWhoeverWaits = (): void => undefined;
