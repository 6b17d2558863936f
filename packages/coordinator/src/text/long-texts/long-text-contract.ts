import { type ThreadContract } from '@expertmesh/shared/threads/thread-contract';

/** A thread that turns texts into tokens. */
export interface LongTextContract extends ThreadContract {
  readonly data: { readonly modelDir: string };
  readonly ready: true;
  readonly requests: { readonly encode: { readonly argument: string; readonly result: Int32Array } };
}
