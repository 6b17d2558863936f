import { type ErrorCode, ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ExpertsNotHeldError } from '@expertmesh/shared/errors/experts-not-held-error';
import { MAX_QUEUED_CALLS } from '@expertmesh/shared/limits/limits';
import { answerDeadline } from '@expertmesh/shared/rpc/answer-deadline';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import {
  type CallError,
  type DispatchAnswer,
  type RowDtype,
  type WireRows,
} from '@expertmesh/shared/rpc/dispatch-message';
import { type OpenStream } from '@expertmesh/shared/rpc/openers';
import { reconnectDelayMs } from '@expertmesh/shared/rpc/reconnect-backoff';
import { DispatchConnection } from './dispatch-connection.js';
import { type WorkerDispatchStats } from './dispatch-stats.js';
import { type ExpertLink, type LinkObserver, type OutgoingCall } from './expert-link.js';
import { WrongAnswerError, type WrongAnswerKind } from './wrong-answer-error.js';

export interface WorkerStreamOptions {
  readonly workerId: string;
  /** `host:port` of the worker's ExpertService. */
  readonly address: string;
  readonly clock: Clock;
  /** In [0, 1); spreads reconnections. */
  readonly random: () => number;
  /** Told whenever the connection is there, or is lost; before the calls that a loss fails. */
  readonly onConnection?: ConnectionListener | undefined;
  readonly observer?: LinkObserver | undefined;
  readonly openStream: OpenStream;
}

/** `lostBecause` is undefined when the connection is there. */
export type ConnectionListener = (workerId: string, lostBecause: string | undefined) => void;

const MAX_CALL_ID = 0xffffffff;

/**
 * One long-lived Dispatch stream to one worker, with many calls in flight. A stream that ends or fails takes its calls
 * with it, at once, and is opened anew on another connection after a growing delay; until then calls fail at once.
 */
export class WorkerStream implements ExpertLink {
  readonly #options: WorkerStreamOptions;
  readonly #inFlight = new Map<number, InFlightCall>();
  /** Calls whose answers are only timed; as many as may be in flight. */
  readonly #withdrawn = new Map<number, SentCall>();
  readonly #counts = {
    numCalls: 0,
    numFailedCalls: 0,
    numLateAnswers: 0,
    numConnectionsLost: 0,
    sentBytes: 0,
    receivedBytes: 0,
    numAnswers: 0,
    sumRoundTripMs: 0,
    maxRoundTripMs: 0,
  };
  #state: State;
  #lastCallId = 0;
  #numFailuresInARow = 0;

  constructor(options: WorkerStreamOptions) {
    this.#options = options;
    this.#state = this.#connect();
  }

  get peer(): string {
    return `worker ${this.#options.workerId} (${this.#options.address})`;
  }

  /** Whether a call would be sent at once. */
  get isConnected(): boolean {
    return this.#state.kind === 'connected' && this.#state.connection.isReady;
  }

  /**
   * Whether it is connected or about to be, at this address: false while it waits to connect again, and after close.
   */
  isUsableAt(address: string): boolean {
    return this.#state.kind === 'connected' && this.#options.address === address;
  }

  /**
   * Sends the call and waits for its answer; call ids are given here.
   *
   * @throws ExpertsNotHeldError when the worker holds other experts; WrongAnswerError when the call or its answer was
   * damaged on the way; ExpertmeshError the worker's own error, `cancelled` when it is withdrawn, `unavailable` when
   * the worker is or goes away, `deadline_exceeded`, or `resource_exhausted` when MAX_QUEUED_CALLS are in flight.
   */
  async call(call: OutgoingCall, deadlineMs: number, onSent?: (withdraw: () => void) => void): Promise<DispatchAnswer> {
    this.#counts.numCalls++;
    if (this.#state.kind !== 'connected') throw this.#failed('unavailable', this.#state.reason);
    if (this.#inFlight.size >= MAX_QUEUED_CALLS)
      throw this.#failed('resource_exhausted', `${String(MAX_QUEUED_CALLS)} calls are in flight already`);
    const { connection } = this.#state;
    const callId = this.#nextCallId();
    const startMs = this.#options.clock.nowMs();
    // Answers come in later turns. A call that cannot be encoded throws here, and leaves nothing that waits for its
    // answer.
    connection.send({ ...call, callId });
    this.#counts.sentBytes += tensorBytes(call);
    return this.#answerTo(callId, { startMs, numPairs: call.expertIds.length }, deadlineMs, onSent);
  }

  countWrongAnswer(kind: WrongAnswerKind, what: string): void {
    this.#counts.numFailedCalls++;
    this.#options.observer?.wrong(this.#options.workerId, kind, what);
  }

  /** Ends the stream for good; calls in flight, and all later ones, fail with `unavailable` and this reason. */
  close(reason: string): void {
    const last = this.#state;
    this.#state = { kind: 'closed', reason };
    if (last.kind === 'waiting') last.cancelTimer();
    if (last.kind === 'connected') last.connection.end();
    this.#failAll(reason);
  }

  stats(): WorkerDispatchStats {
    const { workerId, address } = this.#options;
    return { workerId, address, isConnected: this.isConnected, numInFlight: this.#inFlight.size, ...this.#counts };
  }

  #answerTo(
    callId: number,
    sent: SentCall,
    deadlineMs: number,
    onSent: ((withdraw: () => void) => void) | undefined,
  ): Promise<DispatchAnswer> {
    return new Promise((resolve, reject) => {
      const end = (error: ExpertmeshError): void => {
        this.#inFlight.delete(callId);
        if (this.#withdrawn.size < MAX_QUEUED_CALLS) this.#withdrawn.set(callId, sent);
        reject(error);
      };
      const answered = answerDeadline(this.#options.clock, deadlineMs, () => {
        end(this.#failed('deadline_exceeded', `no answer to a call within ${String(deadlineMs)} ms`));
      });
      this.#inFlight.set(callId, { resolve, reject, ...sent, answered });
      onSent?.(() => {
        if (!this.#inFlight.has(callId)) return;
        answered();
        end(new ExpertmeshError('cancelled', `${this.peer}: the call was withdrawn`));
      });
    });
  }

  #connect(): State {
    const { address, clock, openStream } = this.#options;
    const events = {
      onReady: () => {
        this.#numFailuresInARow = 0;
        this.#options.observer?.heard(this.#options.workerId);
        this.#options.onConnection?.(this.#options.workerId, undefined);
      },
      onAnswer: (answer: DispatchAnswer) => {
        this.#settle(answer);
      },
      onDamaged: (callId: number, what: string) => {
        this.#observeDamage(callId, what);
      },
      onLost: (reason: string) => {
        this.#reconnectLater(reason);
      },
    };
    const connection = new DispatchConnection(address, clock, events, openStream);
    return { kind: 'connected', connection };
  }

  #reconnectLater(lostBecause: string): void {
    const { clock, random } = this.#options;
    this.#numFailuresInARow++;
    this.#counts.numConnectionsLost++;
    const cancelTimer = clock.after(reconnectDelayMs(this.#numFailuresInARow, random), () => {
      this.#state = this.#connect();
    });
    const reason = `the connection is lost and is being made again: ${lostBecause}`;
    this.#state = { kind: 'waiting', reason, cancelTimer };
    this.#options.onConnection?.(this.#options.workerId, lostBecause);
    this.#failAll(reason);
  }

  #settle(answer: DispatchAnswer): void {
    const { observer, workerId } = this.#options;
    observer?.heard(workerId);
    // So a worker refuses a call that came damaged, whose id it may have read wrongly.
    if (answer.error?.code === 'data_loss') {
      this.#observeDamage(answer.callId, answer.error.message);
      return;
    }
    const call = this.#inFlight.get(answer.callId);
    if (call === undefined) {
      this.#noteLate(answer.callId);
      return;
    }
    this.#inFlight.delete(answer.callId);
    call.answered();
    const roundTripMs = this.#options.clock.nowMs() - call.startMs;
    observer?.answered(workerId, call.numPairs, roundTripMs);
    this.#counts.numAnswers++;
    this.#counts.sumRoundTripMs += roundTripMs;
    this.#counts.maxRoundTripMs = Math.max(this.#counts.maxRoundTripMs, roundTripMs);
    this.#counts.receivedBytes += rowBytes(answer);
    if (answer.error === undefined) call.resolve(answer);
    else call.reject(this.#refused(answer.error));
  }

  #noteLate(callId: number): void {
    const { observer, workerId, clock } = this.#options;
    this.#counts.numLateAnswers++;
    const sent = this.#withdrawn.get(callId);
    if (sent === undefined) return;
    this.#withdrawn.delete(callId);
    observer?.answered(workerId, sent.numPairs, clock.nowMs() - sent.startMs);
  }

  // Where the call's id was damaged itself, any that is in flight may be the one: all are asked again.
  #observeDamage(callId: number, what: string): void {
    const { observer, workerId } = this.#options;
    const call = this.#inFlight.get(callId);
    const damaged = call === undefined ? [...this.#inFlight] : ([[callId, call]] as const);
    observer?.heard(workerId);
    observer?.wrong(workerId, 'damaged', what);
    for (const [id, { answered, reject }] of damaged) {
      this.#inFlight.delete(id);
      this.#counts.numFailedCalls++;
      answered();
      reject(new WrongAnswerError('damaged', `${this.peer}: ${what}`));
    }
  }

  #refused({ code, message, missingExpertIds }: CallError): ExpertmeshError {
    const error = this.#failed(ourCode(code), message);
    return missingExpertIds === undefined ? error : new ExpertsNotHeldError(missingExpertIds, error.message);
  }

  #failAll(reason: string): void {
    const calls = [...this.#inFlight.values()];
    this.#inFlight.clear();
    this.#withdrawn.clear();
    for (const call of calls) {
      call.answered();
      call.reject(this.#failed('unavailable', reason));
    }
  }

  #failed(code: ExpertmeshError['code'], reason: string): ExpertmeshError {
    this.#counts.numFailedCalls++;
    return new ExpertmeshError(code, `${this.peer}: ${reason}`);
  }

  #nextCallId(): number {
    do this.#lastCallId = this.#lastCallId === MAX_CALL_ID ? 1 : this.#lastCallId + 1;
    while (this.#inFlight.has(this.#lastCallId));
    return this.#lastCallId;
  }
}

type State =
  | { readonly kind: 'connected'; readonly connection: DispatchConnection }
  | { readonly kind: 'waiting'; readonly reason: string; readonly cancelTimer: () => void }
  | { readonly kind: 'closed'; readonly reason: string };

interface SentCall {
  readonly startMs: number;
  readonly numPairs: number;
}

interface InFlightCall extends SentCall {
  readonly resolve: (answer: DispatchAnswer) => void;
  readonly reject: (error: ExpertmeshError) => void;
  /** Stops the deadline. */
  readonly answered: () => void;
}

// A call that the worker finds invalid was made wrongly here; whoever asked for tokens is not at fault.
const ourCode = (code: ErrorCode): ErrorCode => (code === 'invalid_argument' ? 'internal' : code);

const rowBytes = ({ rows, rowScales }: WireRows<RowDtype>): number => rows.byteLength + (rowScales?.byteLength ?? 0);

const tensorBytes = ({ rowOffsets, expertIds, routingWeights, sumUnits, ...rows }: OutgoingCall): number =>
  rowOffsets.byteLength +
  expertIds.byteLength +
  routingWeights.byteLength +
  (sumUnits?.byteLength ?? 0) +
  rowBytes(rows);
