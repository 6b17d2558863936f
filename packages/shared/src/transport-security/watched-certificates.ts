import { unwatchFile, watchFile } from 'node:fs';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Logger } from '../process/logger.js';

/** Polled, because a file that is mounted as a secret is a link that changes. */
const POLL_MS = 2_000;
/** Certificate and key are written one after the other: both are there when they are read. */
const SETTLE_MS = 250;
const CHECK_EXPIRY_MS = 12 * 3600 * 1000;

/** Absent in threads whose process tells the same already. */
export type CertificateLog = Pick<Logger, 'info' | 'warn' | 'error'> | undefined;

/** What ends at some time. */
export interface Watched {
  readonly validToMs: number;
  readonly revocations?: { readonly validToMs: number } | undefined;
}

/**
 * What files of certificates hold. They are read again when they change, and on SIGHUP; while they are wrong, what they
 * held before holds. Warns before a certificate ends.
 */
export class WatchedCertificates<T extends Watched> {
  readonly #paths: readonly string[];
  readonly #read: (before: T | undefined) => T;
  readonly #warnings: (current: T, nowMs: number) => readonly string[];
  readonly #log: CertificateLog;
  readonly #listeners = new Set<(current: T) => void>();
  readonly #expiry: NodeJS.Timeout;
  #current: T;
  #settling: NodeJS.Timeout | undefined;
  #ending: NodeJS.Timeout | undefined;

  /**
   * @param read all of the files, given what they held before
   * @param warnings what is to be said of what holds now
   * @throws what `read` throws the first time; later it is logged.
   */
  constructor(
    paths: readonly string[],
    read: (before: T | undefined) => T,
    warnings: (current: T, nowMs: number) => readonly string[],
    log: CertificateLog,
  ) {
    this.#paths = paths;
    this.#read = read;
    this.#warnings = warnings;
    this.#log = log;
    this.#current = read(undefined);
    for (const path of paths) watchFile(path, { interval: POLL_MS, persistent: false }, this.#onChange);
    process.on('SIGHUP', this.#onChange);
    this.#expiry = setInterval(this.#warn, CHECK_EXPIRY_MS).unref();
    this.#warn();
  }

  get current(): T {
    return this.#current;
  }

  /** @returns what ends the listening. */
  onChange(listener: (current: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The files are no longer looked at; what was read goes on to hold. */
  close(): void {
    for (const path of this.#paths) unwatchFile(path, this.#onChange);
    process.off('SIGHUP', this.#onChange);
    clearInterval(this.#expiry);
    clearTimeout(this.#settling);
    clearTimeout(this.#ending);
  }

  readonly #onChange = (): void => {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.#reread();
    }, SETTLE_MS).unref();
  };

  #reread(): void {
    try {
      this.#current = this.#read(this.#current);
    } catch (thrown) {
      this.#log?.error(`certificates stay as they were: ${ExpertmeshError.from(thrown).message}`);
      return;
    }
    for (const listener of this.#listeners) listener(this.#current);
    const validTo = new Date(this.#current.validToMs).toISOString();
    this.#log?.info({ files: this.#paths, validTo }, 'certificates have been read again');
    this.#warn();
  }

  readonly #warn = (): void => {
    const nowMs = Date.now();
    for (const warning of this.#warnings(this.#current, nowMs)) this.#log?.warn({ files: this.#paths }, warning);
    // What is over is told at that moment, for then nobody can connect any more.
    const { validToMs, revocations } = this.#current;
    const remainingMs = Math.min(validToMs, revocations?.validToMs ?? Infinity) - nowMs;
    clearTimeout(this.#ending);
    if (remainingMs > 0 && remainingMs < CHECK_EXPIRY_MS)
      this.#ending = setTimeout(this.#warn, remainingMs + 1).unref();
  };
}
