import { type ThreadContract } from '@expertmesh/shared/threads/thread-contract';
import { type PrefixHash } from '../prefix-chain.js';
import { type BlockFilesOptions } from './block-files.js';

/** What can be asked of the thread that has the files of blocks. */
export interface DiskContract extends ThreadContract {
  readonly data: BlockFilesOptions;
  /** What is there. */
  readonly ready: readonly PrefixHash[];
  readonly requests: {
    /** Answered with those that had to be deleted for it. */
    readonly write: {
      readonly argument: { readonly prefix: PrefixHash; readonly bytes: Uint8Array };
      readonly result: readonly PrefixHash[];
    };
    readonly read: { readonly argument: PrefixHash; readonly result: Uint8Array | undefined };
  };
  readonly messages: object;
  readonly events: object;
}
