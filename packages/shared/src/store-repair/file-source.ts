import { type StoreFile } from '../expert-store/manifest.js';

/** Another copy of the store, somewhere. What it gives is believed only as far as the own manifest says. */
export interface FileSource {
  /** How errors name it. */
  readonly name: string;
  /**
   * The bytes of a file, in order.
   *
   * @throws ExpertmeshError `not_found` or `data_loss` where it does not have this one, anything else where it cannot
   * be asked for others either.
   */
  read(file: StoreFile, signal: AbortSignal): AsyncIterable<Uint8Array>;
  close(): void;
}
