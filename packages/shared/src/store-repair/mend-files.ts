import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, ExpertmeshError } from '../errors/expertmesh-error.js';
import { type ExpertStore } from '../expert-store/expert-store.js';
import { diskBytes, freeSpaceBytes, requireFreeSpace } from '../expert-store/writing/free-space.js';
import { fetchFile, UnwritableStoreError } from './fetch-file.js';
import { type FileSource } from './file-source.js';

/** Files that are fetched at a time. */
const NUM_LANES = 4;
/** While those that have a file give others to others: half a minute in all. */
const BUSY_PAUSE_MS = 250;
const MAX_BUSY_PAUSES = 120;

export interface MendProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface MendOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: MendProgress) => void;
  /** A file is in place again. */
  readonly onMended?: (path: string, sourceName: string) => void;
}

/**
 * Fetches files of the store from those that may have them, each from the first that has it as the manifest says.
 *
 * @throws ExpertmeshError `not_found` or `data_loss` for a file that none of them has, with what each said, and
 * `unavailable` where all of them were away or busy: they may have it; otherwise as fetchFile. Files that were mended
 * by then stay.
 */
export async function mendFiles(
  store: Pick<ExpertStore, 'dir' | 'blob'>,
  paths: readonly string[],
  sources: readonly FileSource[],
  { signal, onProgress, onMended }: MendOptions,
): Promise<void> {
  const sizes = paths.map((path) => store.blob(path).sizeBytes);
  const totalBytes = sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  await requireFreeSpace(store.dir, diskBytes(sizes), freeSpaceBytes);
  const asked = new AskedSources(sources);
  const waiting = paths.values();
  let doneBytes = 0;
  const runLane = async (): Promise<void> => {
    for (const path of waiting) {
      const { name } = await asked.fetch(store, path, signal);
      doneBytes += store.blob(path).sizeBytes;
      onMended?.(path, name);
      onProgress?.({ doneBytes, totalBytes });
    }
  };
  const lanes = Array.from({ length: Math.min(NUM_LANES, paths.length) }, runLane);
  await Promise.allSettled(lanes);
  await Promise.all(lanes);
}

/**
 * One that cannot be reached, or has another store, is not asked again: each time would take its deadline. One that
 * gives as many files as it may at a time is asked again later.
 */
class AskedSources {
  readonly #sources: readonly FileSource[];
  readonly #useless = new Map<FileSource, ExpertmeshError>();

  constructor(sources: readonly FileSource[]) {
    this.#sources = sources;
  }

  async fetch(store: Pick<ExpertStore, 'dir' | 'blob'>, path: string, signal: AbortSignal): Promise<FileSource> {
    for (let numPauses = 0; ; numPauses++) {
      const failures: ExpertmeshError[] = [];
      for (const source of this.#sources) {
        const failure = await this.#failureOf(store, path, source, signal);
        if (failure === undefined) return source;
        failures.push(failure);
      }
      if (numPauses === MAX_BUSY_PAUSES || !failures.some(isBusy)) throw nobodyHas(path, failures);
      await sleep(BUSY_PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @returns why it does not come from this one; undefined where it has. */
  async #failureOf(
    store: Pick<ExpertStore, 'dir' | 'blob'>,
    path: string,
    source: FileSource,
    signal: AbortSignal,
  ): Promise<ExpertmeshError | undefined> {
    const useless = this.#useless.get(source);
    if (useless !== undefined) return useless;
    try {
      await fetchFile(store, path, source, signal);
      return undefined;
    } catch (thrown) {
      if (thrown instanceof UnwritableStoreError) throw thrown;
      const error = ExpertmeshError.from(thrown);
      if (signal.aborted) throw new ExpertmeshError('cancelled', `fetching ${path} was cancelled`);
      const isOfThisFile = error.code === 'data_loss' || error.code === 'not_found';
      if (!isOfThisFile && !isBusy(error)) this.#useless.set(source, error);
      return error;
    }
  }
}

const isBusy = ({ code }: ExpertmeshError): boolean => code === 'resource_exhausted';

/** Asking later may help. */
const PASSING: readonly ErrorCode[] = ['unavailable', 'deadline_exceeded', 'resource_exhausted'];

function nobodyHas(path: string, failures: readonly ExpertmeshError[]): ExpertmeshError {
  const asked = failures.length === 0 ? 'there is nobody to ask' : failures.map(({ message }) => message).join('; ');
  if (failures.length > 0 && failures.every(({ code }) => PASSING.includes(code)))
    return new ExpertmeshError(
      'unavailable',
      `nobody can be asked for ${path} (${asked}): start them, or bring it with "expertmesh store repair --from"`,
    );
  return new ExpertmeshError(
    failures.some(({ code }) => code === 'data_loss') ? 'data_loss' : 'not_found',
    `nobody has ${path} as the manifest says (${asked}): bring it with "expertmesh store repair --from", or pack again`,
  );
}
