import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import {
  MANIFEST_FILE_NAME,
  serialiseManifest,
  STORE_FORMAT_VERSION,
  type Manifest,
  type StoreFile,
} from '../manifest.js';
import { type Quantisation } from '../quantisation.js';
import { workBytes, type BlobJob } from './blob-job.js';
import { runBlobJobs } from './blob-threads.js';
import { BlobWriter } from './blob-writer.js';
import { describeQuantisation } from './choose-quantisation.js';
import { diskBytes, freeSpaceBytes, requireFreeSpace, type FreeSpaceBytes } from './free-space.js';
import { FreshBlobs } from './fresh-blobs.js';
import { Staging } from './staging.js';

/** How a store is written, whatever its weights are. */
export interface WriteOptions {
  readonly storeDir: string;
  /** Replaces a store that exists, and work that was begun with other options or from another checkpoint. */
  readonly force?: boolean | undefined;
  /** As many as there are cores where absent. */
  readonly numThreads?: number | undefined;
  /** Where the record of verified files is kept; what is written is not recorded where absent. */
  readonly cacheDir?: string | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Asks the operating system where absent. */
  readonly freeSpaceBytes?: FreeSpaceBytes | undefined;
}

export interface WriteProgress {
  /** Bytes of weights done, those of an earlier run included. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What the store is to hold. */
export interface StoreContent {
  /** Fingerprint of where the weights come from: work is only taken up with the same. */
  readonly source: string;
  readonly modelConfig: Readonly<Record<string, unknown>>;
  readonly quantisation: Quantisation;
  /** In the manifest's order. */
  readonly jobs: readonly BlobJob[];
  /** The files beside the blobs. */
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

export interface WrittenStore {
  /** Absolute. */
  readonly storeDir: string;
  readonly numBlobs: number;
  /** Blobs that an earlier run had finished. */
  readonly numResumedBlobs: number;
  readonly sizeBytes: number;
}

/**
 * Writes a whole store beside its place and moves it there when it is complete and on the disk. After an abort, a full
 * disk or a kill the finished blobs wait in STORE_DIR.partial, and the next call goes on from them; weights that cannot
 * be stored leave nothing behind.
 *
 * @throws ExpertmeshError `failed_precondition` when the place is taken, `resource_exhausted` for lack of disk space,
 * `data_loss` for weights that cannot be stored, `cancelled` after an abort.
 */
export async function writeStore(content: StoreContent, options: WriteOptions): Promise<WrittenStore> {
  const storeDir = resolve(options.storeDir);
  const staging = await Staging.open(storeDir, options.force ?? false, {
    source: content.source,
    options: describeQuantisation(content.quantisation),
  });
  const numResumedBlobs = staging.finished.size;
  const fresh = new FreshBlobs();
  try {
    const blobs = await writeBlobs(content, staging, fresh, options);
    const files = content.files.map(({ name, bytes }) => writeFile(staging, name, bytes));
    const manifest = manifestOf(content, blobs, files);
    writeFile(staging, MANIFEST_FILE_NAME, Buffer.from(serialiseManifest(manifest)));
    await staging.publish();
    if (options.cacheDir !== undefined) await fresh.record(options.cacheDir);
    const sizeBytes = [...blobs, ...files].reduce((sum, file) => sum + file.sizeBytes, 0);
    return { storeDir, numBlobs: blobs.length, numResumedBlobs, sizeBytes };
  } catch (error) {
    throw await endStaging(staging, ExpertmeshError.from(error));
  }
}

async function writeBlobs(
  content: StoreContent,
  staging: Staging,
  fresh: FreshBlobs,
  options: WriteOptions,
): Promise<StoreFile[]> {
  const { quantisation, jobs } = content;
  const waiting = jobs.filter((job) => !staging.finished.has(job.blob.path));
  await requireFreeSpace(staging.dir, neededBytes(content, waiting), options.freeSpaceBytes ?? freeSpaceBytes);
  const totalBytes = sumWorkBytes(jobs);
  let doneBytes = totalBytes - sumWorkBytes(waiting);
  await runBlobJobs(waiting, {
    dir: staging.contentDir,
    quantisation,
    numThreads: options.numThreads ?? availableParallelism(),
    signal: options.signal ?? new AbortController().signal,
    onBytes: (numBytes) => {
      doneBytes += numBytes;
      options.onProgress?.({ doneBytes, totalBytes });
    },
    onBlob: (blob) => {
      staging.record(blob);
      fresh.add(staging.contentDir, blob);
    },
  });
  return jobs.flatMap((job) => staging.finished.get(job.blob.path) ?? []);
}

const sumWorkBytes = (jobs: readonly BlobJob[]): number => jobs.reduce((sum, job) => sum + workBytes(job), 0);

/** Room in manifest and journal for what they say of one blob. */
const ENTRY_BYTES = 512;

const neededBytes = ({ jobs, files }: StoreContent, waiting: readonly BlobJob[]): number =>
  diskBytes([
    ...waiting.map((job) => job.blob.layout.sizeBytes),
    ...files.map(({ bytes }) => bytes.byteLength),
    jobs.length * ENTRY_BYTES,
  ]);

function writeFile(staging: Staging, name: string, bytes: Uint8Array): StoreFile {
  const writer = new BlobWriter(join(staging.contentDir, name));
  try {
    writer.append(bytes);
    return { path: name, ...writer.finish() };
  } finally {
    writer.close();
  }
}

const manifestOf = (
  { modelConfig, quantisation }: StoreContent,
  blobs: readonly StoreFile[],
  files: readonly StoreFile[],
): Manifest => ({ formatVersion: STORE_FORMAT_VERSION, modelConfig, quantisation, blobs, files });

/** Keeps what a later run can go on from, removes the rest, and says which. */
async function endStaging(staging: Staging, error: ExpertmeshError): Promise<ExpertmeshError> {
  // Weights that cannot be stored will not be better the next time.
  const isWorthKeeping = staging.finished.size > 0 && error.code !== 'data_loss';
  if (!isWorthKeeping) {
    await staging.discard();
    return error;
  }
  staging.keep();
  return new ExpertmeshError(
    error.code,
    `${error.message}. What is finished waits in ${staging.dir}: ` +
      'run the same command again to go on, or delete that folder',
    { cause: error },
  );
}
