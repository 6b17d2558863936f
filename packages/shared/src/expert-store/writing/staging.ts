import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { MANIFEST_FILE_NAME, type StoreFile } from '../manifest.js';
import { writeError } from './blob-writer.js';
import { appendToJournal, readJournal, writeJournal, type JournalHeader } from './journal.js';
import { acquireLock } from './staging-lock.js';

/**
 * The folder STORE_DIR.partial, where a store grows: `store/` becomes STORE_DIR by one rename when everything in it is
 * on the disk, `journal.jsonl` says what is finished, `lock` keeps other processes out.
 */
export class Staging {
  readonly #storeDir: string;
  readonly #releaseLock: () => void;
  readonly #finished: Map<string, StoreFile>;

  private constructor(storeDir: string, releaseLock: () => void, finished: Map<string, StoreFile>) {
    this.#storeDir = storeDir;
    this.#releaseLock = releaseLock;
    this.#finished = finished;
  }

  /**
   * @param storeDir absolute
   * @param force replaces a store that exists, and work that was begun with another header
   * @throws ExpertmeshError `failed_precondition` when storeDir is taken, or when its staging folder is at work in
   * another process or was begun with another header.
   */
  static async open(storeDir: string, force: boolean, header: JournalHeader): Promise<Staging> {
    await refuseTaken(storeDir, force);
    const dir = stagingDir(storeDir);
    await makeFolder(dir);
    const releaseLock = acquireLock(join(dir, LOCK_NAME));
    try {
      const journalFile = join(dir, JOURNAL_NAME);
      const begun = readJournal(journalFile)?.header;
      const isOther = begun !== undefined && (begun.options !== header.options || begun.source !== header.source);
      if (isOther && !force) throw begunWithOther(dir, begun, header);
      if (isOther) await removeContent(dir);
      await makeFolder(join(dir, CONTENT_NAME));
      const finished = await filesThatAreThere(join(dir, CONTENT_NAME), readJournal(journalFile)?.finished ?? []);
      writeJournal(journalFile, { header, finished });
      return new Staging(storeDir, releaseLock, new Map(finished.map((blob) => [blob.path, blob])));
    } catch (error) {
      releaseLock();
      throw error;
    }
  }

  get dir(): string {
    return stagingDir(this.#storeDir);
  }

  /** Where the files of the store are written. */
  get contentDir(): string {
    return join(this.dir, CONTENT_NAME);
  }

  /** Blobs that are finished, by this run or an earlier one, by path. */
  get finished(): ReadonlyMap<string, StoreFile> {
    return this.#finished;
  }

  /** Remembers a blob that is complete and on the disk. */
  record(blob: StoreFile): void {
    this.#finished.set(blob.path, blob);
    appendToJournal(join(this.dir, JOURNAL_NAME), blob);
  }

  /** Makes the content durable, moves it to STORE_DIR and removes the rest. */
  async publish(): Promise<void> {
    for (const dir of await foldersIn(this.contentDir)) await syncFolder(dir);
    const replaced = join(this.dir, 'replaced');
    await rm(replaced, REMOVE);
    if (existsSync(this.#storeDir)) await rename(this.#storeDir, replaced);
    await rename(this.contentDir, this.#storeDir);
    await syncFolder(dirname(this.#storeDir));
    await this.discard();
  }

  /** Removes everything, the lock last. */
  async discard(): Promise<void> {
    await removeContent(this.dir);
    this.#releaseLock();
    await rm(this.dir, REMOVE);
  }

  /** Leaves everything for a later run. */
  keep(): void {
    this.#releaseLock();
  }
}

const LOCK_NAME = 'lock';
const JOURNAL_NAME = 'journal.jsonl';
const CONTENT_NAME = 'store';
const REMOVE = { recursive: true, force: true } as const;

const stagingDir = (storeDir: string): string => `${storeDir}.partial`;

async function removeContent(dir: string): Promise<void> {
  const names = (await readdir(dir)).filter((name) => name !== LOCK_NAME);
  await Promise.all(names.map((name) => rm(join(dir, name), REMOVE)));
}

function begunWithOther(dir: string, begun: JournalHeader, asked: JournalHeader): ExpertmeshError {
  const reason =
    begun.options === asked.options
      ? 'from another checkpoint, or its files have changed since: give the same checkpoint'
      : `with ${begun.options}, now ${asked.options} is asked for: give the same options`;
  return new ExpertmeshError('failed_precondition', `${dir} was begun ${reason}, or pass --force to start anew`);
}

// Folder by folder: Node 20's recursive mkdir never ends where a file system refuses new folders with ENOENT, as /proc
// does.
async function makeFolder(dir: string): Promise<void> {
  if (existsSync(dir)) return;
  if (dirname(dir) !== dir) await makeFolder(dirname(dir));
  await mkdir(dir).catch((cause: unknown) => {
    if (!existsSync(dir)) throw writeError(dir, cause);
  });
}

async function refuseTaken(storeDir: string, force: boolean): Promise<void> {
  if (!existsSync(storeDir)) return;
  const place = await stat(storeDir);
  // Nothing can be renamed to a mount point, which would show only at the end.
  if (place.dev !== (await stat(dirname(storeDir))).dev)
    throw new ExpertmeshError('failed_precondition', `${storeDir} is a mounted disk: choose a path within it`);
  const names = place.isDirectory() ? await readdir(storeDir) : undefined;
  if (names?.length === 0) return;
  if (names?.includes(MANIFEST_FILE_NAME) !== true)
    throw new ExpertmeshError('failed_precondition', `${storeDir} exists and is no expert store: choose another path`);
  if (!force)
    throw new ExpertmeshError(
      'failed_precondition',
      `${storeDir} exists: choose another path, or pass --force to replace it`,
    );
}

async function filesThatAreThere(dir: string, files: readonly StoreFile[]): Promise<StoreFile[]> {
  const there: StoreFile[] = [];
  for (const file of files) {
    const path = join(dir, file.path);
    if (existsSync(path) && (await stat(path)).size === file.sizeBytes) there.push(file);
  }
  return there;
}

async function foldersIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => foldersIn(join(dir, entry.name)));
  return [...(await Promise.all(below)).flat(), dir];
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
