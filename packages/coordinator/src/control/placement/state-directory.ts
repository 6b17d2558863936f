import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Logger } from '@expertmesh/shared/process/logger';

/**
 * A copy of the placement bucket on disk, one file a key. It is what the last placement is known from when the control
 * plane comes back empty, or is in process. Writes are atomic, in order, and in the background: a disk that is full
 * costs the copy, not the service.
 */
export class StateDirectory {
  readonly #dir: string;
  readonly #logger: Logger;
  /** The newest value of each key that is not on disk yet; undefined where its file is to go. */
  readonly #unwritten = new Map<string, Uint8Array | undefined>();
  #writing: Promise<void> | undefined;

  /** @throws ExpertmeshError `failed_precondition` where the directory cannot be made. */
  constructor(dir: string, logger: Logger) {
    this.#dir = dir;
    this.#logger = logger;
    try {
      mkdirSync(dir, { recursive: true });
    } catch (cause) {
      const reason = ExpertmeshError.from(cause).message;
      throw new ExpertmeshError('failed_precondition', `--state-dir ${dir} cannot be used: ${reason}`, { cause });
    }
  }

  /** Everything that an earlier process has left. */
  read(): Map<string, Uint8Array> {
    const files = readdirSync(this.#dir).filter((name) => name.endsWith(SUFFIX));
    return new Map(
      files.map((name) => [
        decodeURIComponent(name.slice(0, -SUFFIX.length)),
        new Uint8Array(readFileSync(join(this.#dir, name))),
      ]),
    );
  }

  write(key: string, value: Uint8Array): void {
    this.#later(key, value);
  }

  delete(key: string): void {
    this.#later(key, undefined);
  }

  /** Resolves when all is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #later(key: string, value: Uint8Array | undefined): void {
    // It takes its place at the end: what is in force is never on disk before the documents that it names.
    this.#unwritten.delete(key);
    this.#unwritten.set(key, value);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    for (let [next] = this.#unwritten; next !== undefined; [next] = this.#unwritten) {
      const [key, value] = next;
      this.#unwritten.delete(key);
      await this.#replace(join(this.#dir, `${encodeURIComponent(key)}${SUFFIX}`), value);
    }
  }

  async #replace(file: string, value: Uint8Array | undefined): Promise<void> {
    try {
      if (value === undefined) {
        await rm(file, { force: true });
        return;
      }
      await writeFile(`${file}.new`, value, { mode: 0o600 });
      await rename(`${file}.new`, file);
    } catch (error) {
      this.#logger.warn({ err: error, file }, 'the copy of the placement on disk could not be written');
    }
  }
}

const SUFFIX = '.json';
