import { type SourceTensor } from '../checkpoint/safetensors-header.js';
import { type StoreFile } from '../manifest.js';
import { type ErrorData } from '../../errors/expertmesh-error.js';
import { type BlobPlan } from '../pack/plan.js';
import { type Quantisation } from '../quantisation.js';
import { type StoreBlob } from '../store-blobs.js';

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

/** What a thread says: some work bytes were done, or its job has ended. */
export type BlobThreadMessage =
  | { readonly kind: 'progress'; readonly numBytes: number }
  | { readonly kind: 'done'; readonly blob: StoreFile }
  | { readonly kind: 'failed'; readonly error: ErrorData };
