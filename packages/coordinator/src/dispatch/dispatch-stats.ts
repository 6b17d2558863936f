import { type WorkerFailovers } from './failover.js';
import { type WorkerHedges } from './hedges.js';
import { type QuarantinedWorker } from './quarantine.js';
import { type WrongAnswerCount } from './wrong-answers.js';

/** Counters of the dispatch to one worker since it came up, as plain data. */
export interface WorkerDispatchStats {
  readonly workerId: string;
  readonly address: string;
  readonly isConnected: boolean;
  readonly numInFlight: number;
  readonly numCalls: number;
  /** Calls without a usable answer: errors, timeouts, lost connections, and answers that did not pass the check. */
  readonly numFailedCalls: number;
  /** Answers to calls that had timed out. */
  readonly numLateAnswers: number;
  readonly numConnectionsLost: number;
  /** Bytes of the tensors, without the messages' numbers and gRPC's framing. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Answers in time, errors too; the sum over them gives the mean. */
  readonly numAnswers: number;
  readonly sumRoundTripMs: number;
  readonly maxRoundTripMs: number;
}

export interface DispatchStats {
  readonly placementVersion: number | undefined;
  readonly workers: readonly WorkerDispatchStats[];
  /** Since the start, also of workers that have gone. */
  readonly failovers: readonly WorkerFailovers[];
  readonly wrongAnswers: readonly WrongAnswerCount[];
  readonly quarantined: readonly QuarantinedWorker[];
  readonly hedges: readonly WorkerHedges[];
}
