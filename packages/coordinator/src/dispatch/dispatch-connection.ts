import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { answerDeadline } from '@expertmesh/shared/rpc/answer-deadline';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { callIdOf, DamagedMessageError } from '@expertmesh/shared/rpc/dispatch-checksum';
import { decodeDispatchAnswer, frameDispatchCall } from '@expertmesh/shared/rpc/dispatch-codec';
import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type DispatchStream, type OpenStream } from '@expertmesh/shared/rpc/openers';

/** A connection can hang while it is made; only another one helps then. */
const CONNECT_TIMEOUT_MS = 1_000;

interface ConnectionEvents {
  readonly onReady: () => void;
  readonly onAnswer: (answer: DispatchAnswer) => void;
  /** An answer came that cannot be read; its call's id as far as it could be, or 0. */
  readonly onDamaged: (callId: number, what: string) => void;
  /** Once, and not after `end`. */
  readonly onLost: (reason: string) => void;
}

/** One connection with one Dispatch stream on it, from its opening to its end; calls may be sent from the start. */
export class DispatchConnection {
  isReady = false;
  readonly #stream: DispatchStream;
  readonly #cancelConnectTimeout: () => void;

  constructor(address: string, clock: Clock, events: ConnectionEvents, openStream: OpenStream) {
    const lose = (reason: string): void => {
      this.end();
      events.onLost(reason);
    };
    const streamEvents = {
      onReady: () => {
        this.#cancelConnectTimeout();
        this.isReady = true;
        events.onReady();
      },
      onMessage: (message: Buffer) => {
        const answer = readAnswer(message);
        if (answer instanceof DamagedMessageError) events.onDamaged(answer.callId, answer.message);
        else events.onAnswer(answer);
      },
      onEnd: lose,
    };
    this.#stream = openStream(address, streamEvents);
    this.#cancelConnectTimeout = answerDeadline(clock, CONNECT_TIMEOUT_MS, () => {
      lose(`no connection within ${String(CONNECT_TIMEOUT_MS)} ms`);
    });
  }

  send(call: DispatchCall): void {
    this.#stream.send(frameDispatchCall(call));
  }

  end(): void {
    this.isReady = false;
    this.#cancelConnectTimeout();
    this.#stream.close();
  }
}

// Fields that contradict each other under a checksum that is right are the sender's fault, and as useless.
function readAnswer(message: Buffer): DispatchAnswer | DamagedMessageError {
  try {
    return decodeDispatchAnswer(message);
  } catch (thrown) {
    if (thrown instanceof DamagedMessageError) return thrown;
    return new DamagedMessageError(ExpertmeshError.from(thrown).message, callIdOf(message));
  }
}
