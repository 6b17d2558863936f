import { type PrefixHash } from './prefix-chain.js';

/** Where blocks can be found that are no longer in memory. */
export interface BlockArchive {
  has(prefix: PrefixHash): boolean;
  /** undefined when it is not there any more, or not whole. */
  read(prefix: PrefixHash): Promise<Uint8Array | undefined>;
}
