import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type AllExperts } from './expert-dispatcher.js';

/** A call whose id is given when it is sent. */
export type OutgoingCall = Omit<DispatchCall, 'callId'>;

/** Where the experts of one member of the placement are: behind a stream, or in this process. */
export interface ExpertLink {
  /** How errors name it. */
  readonly peer: string;
  /** Absent where the link does not lead to all of them. */
  readonly allExperts?: AllExperts | undefined;
  /** @throws ExpertmeshError when there is no answer within `deadlineMs`, or one that is an error. */
  call(call: OutgoingCall, deadlineMs: number): Promise<DispatchAnswer>;
  /** Counts an answer that came and did not pass the caller's check. */
  countWrongAnswer(): void;
}
