import { appendFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const RECORD_NAME = 'verified-files';

/** A larger record is begun anew. A line has about 130 bytes, and the largest model 12,000 blobs. */
const MAX_RECORD_BYTES = 8 * 2 ** 20;

/**
 * What this machine knows of files from having read them: one line `SHA256 STAMP` each, in a file of the cache
 * directory. Processes add lines at the same time, each with one write to the end of the file. A line counts only as a
 * whole, so a record that is torn, damaged, missing or cannot be written costs a second reading of some files, and
 * nothing else.
 */
export class VerifiedFiles {
  readonly #file: string;
  readonly #lines: Set<string>;
  #added: string[] = [];

  private constructor(file: string, lines: Set<string>) {
    this.#file = file;
    this.#lines = lines;
  }

  static async open(cacheDir: string): Promise<VerifiedFiles> {
    const file = join(cacheDir, RECORD_NAME);
    return new VerifiedFiles(file, new Set(await readLines(file)));
  }

  /** Whether a file with this stamp was found to have this hash. */
  has(stamp: string, sha256: string): boolean {
    return this.#lines.has(toLine(stamp, sha256));
  }

  add(stamp: string, sha256: string): void {
    const line = toLine(stamp, sha256);
    if (this.#lines.has(line)) return;
    this.#lines.add(line);
    this.#added.push(line);
  }

  /** Writes what was added since the last time. */
  async save(): Promise<void> {
    if (this.#added.length === 0) return;
    // The leading newline keeps a line that a killed process left unfinished from spoiling the first of these.
    const text = `\n${this.#added.join('\n')}\n`;
    this.#added = [];
    await this.#write(text).catch(unwritable);
  }

  async #write(text: string): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true });
    if ((await sizeBytes(this.#file)) + text.length <= MAX_RECORD_BYTES) {
      await appendFile(this.#file, text, { mode: 0o600 });
      return;
    }
    const anew = `${this.#file}.${String(process.pid)}`;
    await writeFile(anew, text, { mode: 0o600 });
    await rename(anew, this.#file);
  }
}

const toLine = (stamp: string, sha256: string): string => `${sha256} ${stamp}`;

async function readLines(file: string): Promise<string[]> {
  if ((await sizeBytes(file)) > MAX_RECORD_BYTES) return [];
  return (await readFile(file, 'latin1').catch(() => '')).split('\n');
}

const sizeBytes = async (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

// A cache directory that is read-only or full is no reason not to serve.
const unwritable = (): undefined => undefined;
