import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type AllExperts } from './expert-dispatcher.js';
import { type WrongAnswerKind } from './wrong-answer-error.js';

/** A call whose id is given when it is sent. */
export type OutgoingCall = Omit<DispatchCall, 'callId'>;

/** Where the experts of one member of the placement are: behind a stream, or in this process. */
export interface ExpertLink {
  /** How errors name it. */
  readonly peer: string;
  /** Absent where the link does not lead to all of them. */
  readonly allExperts?: AllExperts | undefined;
  /**
   * @param onSent told how to withdraw the call: nobody waits for its answer then, and it fails with `cancelled`
   *
   * @throws WrongAnswerError for a call or an answer that was damaged on its way; ExpertmeshError when there is no
   * answer within `deadlineMs`, or one that is an error.
   */
  call(call: OutgoingCall, deadlineMs: number, onSent?: (withdraw: () => void) => void): Promise<DispatchAnswer>;
  /** Counts an answer that came whole and did not pass the caller's check. */
  countWrongAnswer(kind: WrongAnswerKind, what: string): void;
}

/** Sees what comes from workers, wanted or not. */
export interface LinkObserver {
  /** Anything came. */
  heard(workerId: string): void;
  /** A call of so many pairs was answered, also one that nobody waited for any more. */
  answered(workerId: string, numPairs: number, ms: number): void;
  wrong(workerId: string, kind: WrongAnswerKind, what: string): void;
}
