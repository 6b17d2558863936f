import { type SourceTensor } from '../checkpoint/safetensors-header.js';
import { type StoreFile } from '../manifest.js';
import { type BlobPlan } from '../pack/plan.js';
import { type Quantisation } from '../quantisation.js';
import { type StoreBlob } from '../store-blobs.js';
import { type ThreadContract } from '../../threads/thread-contract.js';

/**
 * One blob for a thread to write: from a checkpoint, or with dummy weights. Plain data, as it crosses the thread
 * border.
 */
export type BlobJob =
  (BlobPlan<SourceTensor> & { readonly kind: 'packed' }) | { readonly kind: 'dummy'; readonly blob: StoreBlob };

/** What progress is counted in: bytes read from the checkpoint, or bytes of dummy weights written. */
export function workBytes(job: BlobJob): number {
  if (job.kind === 'dummy') return job.blob.layout.sizeBytes;
  return job.parts.flatMap((part) => part.sources).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** What a thread is told when it starts. */
export interface BlobThreadData {
  /** Where the store grows; blob paths are relative to it. */
  readonly dir: string;
  readonly quantisation: Quantisation;
}

/** What can be asked of a thread: to write a blob. Its progress is work bytes done. */
export interface BlobContract extends ThreadContract {
  readonly data: BlobThreadData;
  readonly ready: undefined;
  readonly requests: {
    readonly write: { readonly argument: BlobJob; readonly result: StoreFile; readonly progress: number };
  };
}
