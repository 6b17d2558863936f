import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type PartOutcome } from './combine.js';
import { type DispatchPart } from './route-plan.js';

/** How often some pairs have been sent, and what ends it. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  /** Of a hedge, that it has lost: nothing of it goes on. */
  readonly signal?: AbortSignal;
}

/** A part that is with a worker. */
export interface StartedCall {
  readonly part: DispatchPart;
  readonly workerId: string;
  /** Never rejects. */
  readonly outcome: Promise<PartOutcome>;
  readonly withdraw: () => void;
}

export const FIRST: Attempt = { number: 1 };

export function next(attempt: Attempt): Attempt {
  return { ...attempt, number: attempt.number + 1 };
}

/** A hedge of a hedge ends with either. */
export function endingWith(lost: AbortSignal, { number, signal }: Attempt): Attempt {
  return { number, signal: signal === undefined ? lost : AbortSignal.any([signal, lost]) };
}

export function withdrawOn(signal: AbortSignal, { outcome, withdraw }: StartedCall): void {
  signal.addEventListener('abort', withdraw, { once: true });
  void outcome.then(() => {
    signal.removeEventListener('abort', withdraw);
  });
}

/** What a hedge's call fails with that is not made any more. */
export function hasLost(): ExpertmeshError {
  return new ExpertmeshError('cancelled', 'the late call has been answered first: this one is not made');
}
