import { answerDeadline } from '@expertmesh/shared/rpc/answer-deadline';
import { RpcClient } from '@expertmesh/shared/rpc/client';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { expertService } from '@expertmesh/shared/rpc/services';
import { streamEndReason } from '@expertmesh/shared/rpc/status';

/** A channel can hang while it connects; only another one helps then. */
const CONNECT_TIMEOUT_MS = 1_000;

interface ConnectionEvents {
  readonly onReady: () => void;
  readonly onAnswer: (answer: DispatchAnswer) => void;
  /** Once, and not after `end`. */
  readonly onLost: (reason: string) => void;
}

/** One channel with one Dispatch stream on it, from its opening to its end; calls may be sent from the start. */
export class DispatchConnection {
  isReady = false;
  readonly #stream: ReturnType<typeof openStream>;
  readonly #client: RpcClient;
  readonly #cancelConnectTimeout: () => void;
  #hasEnded = false;

  constructor(address: string, peer: string, clock: Clock, events: ConnectionEvents) {
    const lose = (reason: string): void => {
      if (this.#hasEnded) return;
      this.end();
      events.onLost(reason);
    };
    this.#client = new RpcClient(address, peer, clock);
    this.#stream = openStream(this.#client);
    this.#stream.on('data', (answer: DispatchAnswer) => {
      if (!this.#hasEnded) events.onAnswer(answer);
    });
    this.#stream.on('error', (error) => {
      lose(streamEndReason(error));
    });
    this.#stream.on('end', () => {
      lose('the worker has closed the stream');
    });
    this.#cancelConnectTimeout = answerDeadline(clock, CONNECT_TIMEOUT_MS, () => {
      lose(`no connection within ${String(CONNECT_TIMEOUT_MS)} ms`);
    });
    this.#client.ready().then(
      () => {
        if (this.#hasEnded) return;
        this.#cancelConnectTimeout();
        this.isReady = true;
        events.onReady();
      },
      // Closed before it was connected: whoever closed it has dealt with that.
      () => undefined,
    );
  }

  send(call: DispatchCall): void {
    this.#stream.write(call);
  }

  end(): void {
    this.#hasEnded = true;
    this.isReady = false;
    this.#cancelConnectTimeout();
    this.#stream.cancel();
    this.#client.close();
  }
}

const openStream = (client: RpcClient) => client.bidi(expertService.dispatch);
