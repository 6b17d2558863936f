import { type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type SequenceOutput } from './engine-client.js';

/** What the engine reports; plain data, so that it can cross a thread border. */
export type EngineEvent =
  | { readonly type: 'output'; readonly id: number; readonly output: SequenceOutput }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorData };
