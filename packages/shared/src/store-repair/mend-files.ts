import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type ExpertStore } from '../expert-store/expert-store.js';
import { diskBytes, freeSpaceBytes, requireFreeSpace } from '../expert-store/writing/free-space.js';
import { fetchFile, UnwritableStoreError } from './fetch-file.js';
import { type FileSource } from './file-source.js';

/** Files that are fetched at a time. */
const NUM_LANES = 4;

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
 * @throws ExpertmeshError `not_found` or `data_loss` for a file that none of them has, with what each said; otherwise
 * as fetchFile. Files that were mended by then stay.
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

/** One that cannot be reached, or has another store, is not asked again: each time would take its deadline. */
class AskedSources {
  readonly #sources: readonly FileSource[];
  readonly #useless = new Map<FileSource, string>();

  constructor(sources: readonly FileSource[]) {
    this.#sources = sources;
  }

  async fetch(store: Pick<ExpertStore, 'dir' | 'blob'>, path: string, signal: AbortSignal): Promise<FileSource> {
    const reasons: string[] = [];
    let code: 'not_found' | 'data_loss' = 'not_found';
    for (const source of this.#sources) {
      try {
        const useless = this.#useless.get(source);
        if (useless !== undefined) throw new ExpertmeshError('unavailable', useless);
        await fetchFile(store, path, source, signal);
        return source;
      } catch (thrown) {
        if (thrown instanceof UnwritableStoreError) throw thrown;
        const error = ExpertmeshError.from(thrown);
        if (signal.aborted) throw new ExpertmeshError('cancelled', `fetching ${path} was cancelled`);
        if (error.code === 'data_loss') code = 'data_loss';
        else if (error.code !== 'not_found') this.#useless.set(source, error.message);
        reasons.push(error.message);
      }
    }
    throw nobodyHas(path, code, reasons);
  }
}

function nobodyHas(path: string, code: 'not_found' | 'data_loss', reasons: readonly string[]): ExpertmeshError {
  const asked = reasons.length === 0 ? 'there is nobody to ask' : reasons.join('; ');
  return new ExpertmeshError(
    code,
    `nobody has ${path} as the manifest says (${asked}): bring it with "expertmesh store repair --from", or pack again`,
  );
}
