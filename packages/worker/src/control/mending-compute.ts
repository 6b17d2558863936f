import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { shardBlobPaths } from '@expertmesh/shared/expert-store/shard-blobs';
import { type VerifyOptions } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type Logger } from '@expertmesh/shared/process/logger';
import { findFaults } from '@expertmesh/shared/store-repair/find-faults';
import { type FileSource } from '@expertmesh/shared/store-repair/file-source';
import { mendFiles } from '@expertmesh/shared/store-repair/mend-files';
import { type Assignment } from '../shards/assignment.js';
import { type Compute, type OnProgress } from '../calls/compute-client.js';

export interface MendingComputeOptions {
  readonly compute: Compute;
  readonly store: ExpertStore;
  readonly verify: VerifyOptions;
  /** StoreService at an address `host:port`. */
  readonly openSource: (address: string) => FileSource;
  readonly logger: Logger;
}

/** The compute thread, whose loads fetch from others what this worker's disk lacks, or has with other bytes. */
export class MendingCompute implements Compute {
  readonly #options: MendingComputeOptions;
  /** Blobs that were wrong in memory: their stamps may be those of files that were once right. */
  readonly #suspects = new Set<string>();

  constructor(options: MendingComputeOptions) {
    this.#options = options;
  }

  /**
   * @param sources whom to ask, in this order
   * @throws ExpertmeshError as ShardHost.load and mendFiles.
   */
  async load(
    assignment: Assignment,
    onProgress: OnProgress,
    signal: AbortSignal,
    sources: readonly string[],
  ): Promise<void> {
    const paths = assignment.shards.flatMap(shardBlobPaths);
    await this.#clearSuspects(paths, sources, signal);
    try {
      await this.#options.compute.load(assignment, onProgress, signal, sources);
    } catch (thrown) {
      if (!isOfFiles(thrown) || sources.length === 0) throw thrown;
      const { store, verify } = this.#options;
      const faults = await findFaults(store, paths, { ...verify, signal });
      if (faults.length === 0) throw thrown;
      const faulty = faults.map(({ path }) => path);
      await this.#mend(faulty, sources, signal).catch((why: unknown) => {
        throw unmended(ExpertmeshError.from(thrown), ExpertmeshError.from(why));
      });
      await this.#options.compute.load(assignment, onProgress, signal, sources);
    }
  }

  /** The blob is looked at, and fetched anew where it is wrong, before it is loaded again. */
  suspect(path: string): void {
    this.#suspects.add(path);
  }

  withdraw(layerIndex: number, expertId: number): Promise<void> {
    return this.#options.compute.withdraw(layerIndex, expertId);
  }

  unload(): Promise<void> {
    return this.#options.compute.unload();
  }

  drain(signal: AbortSignal): Promise<number> {
    return this.#options.compute.drain(signal);
  }

  async #clearSuspects(paths: readonly string[], sources: readonly string[], signal: AbortSignal): Promise<void> {
    const suspects = paths.filter((path) => this.#suspects.has(path));
    if (suspects.length === 0) return;
    const { store, verify } = this.#options;
    const faults = await findFaults(store, suspects, { ...verify, mode: 'always', signal });
    await this.#mend(
      faults.map(({ path }) => path),
      sources,
      signal,
    );
    for (const path of suspects) this.#suspects.delete(path);
  }

  async #mend(paths: readonly string[], addresses: readonly string[], signal: AbortSignal): Promise<void> {
    if (paths.length === 0) return;
    const { store, openSource, logger } = this.#options;
    const sources = addresses.map(openSource);
    logger.warn({ numFiles: paths.length, first: paths[0], sources: addresses }, 'fetches files that its disk lacks');
    try {
      await mendFiles(store, paths, sources, {
        signal,
        onMended: (path, source) => {
          logger.info({ path, source }, 'a file is in its place again');
        },
      });
    } finally {
      for (const source of sources) source.close();
    }
  }
}

/** What is wrong is the file, whatever kept it from being mended; unless those that may have it were merely away. */
function unmended(fault: ExpertmeshError, why: ExpertmeshError): ExpertmeshError {
  if (why.code === 'cancelled') return why;
  const code = why.code === 'unavailable' ? why.code : fault.code;
  return new ExpertmeshError(code, `${fault.message}; it is not mended: ${why.message}`, { cause: fault });
}

function isOfFiles(thrown: unknown): boolean {
  const { code } = ExpertmeshError.from(thrown);
  return code === 'not_found' || code === 'data_loss';
}
