import { type ThreadContract } from '@expertmesh/shared/threads/thread-contract';
import { type Constraint } from '../constraint.js';

/** A thread that checks constraints. Errors of a check are those of checkConstraint. */
export interface ConstraintContract extends ThreadContract {
  readonly data: undefined;
  readonly ready: true;
  readonly requests: { readonly check: { readonly argument: Constraint; readonly result: undefined } };
}
