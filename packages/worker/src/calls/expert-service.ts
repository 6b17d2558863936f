import { type ServedStream, type ServedStreamEvents } from '@expertmesh/shared/rpc/grpc-stream/grpc-stream-server';
import { type CallExecutor } from './call-executor.js';
import { CollectionAfterLarge } from './collection-after-large.js';
import { decodeIncomingCall } from './incoming-call.js';

/** `expertmesh.v1.ExpertService.Dispatch`: hands calls to the executor and answers to their streams. */
export class ExpertService {
  readonly #executor: Pick<CallExecutor, 'submit' | 'forget'>;
  readonly #streams = new Set<ServedStream>();
  readonly #collection = new CollectionAfterLarge();

  constructor(executor: Pick<CallExecutor, 'submit' | 'forget'>) {
    this.#executor = executor;
  }

  /** A peer that does not read its answers is not read from either. */
  readonly accept = (stream: ServedStream): ServedStreamEvents => {
    let numUnanswered = 0;
    let hasEnded = false;
    const endIfDone = (): void => {
      if (hasEnded && numUnanswered === 0) stream.end();
    };
    const send = (answer: Buffer): void => {
      numUnanswered -= 1;
      this.#collection.note(answer.byteLength);
      // It is over already when its peer is gone, or when the worker is closing.
      if (stream.isOpen && !stream.send(answer)) stream.pause();
      endIfDone();
    };
    this.#streams.add(stream);
    return {
      onMessage: (message) => {
        this.#collection.note(message.byteLength);
        const incoming = decodeIncomingCall(message);
        numUnanswered += 1;
        this.#executor.submit(incoming, stream, send);
      },
      onDrain: () => {
        stream.resume();
      },
      onEnd: () => {
        hasEnded = true;
        endIfDone();
      },
      onClosed: () => {
        this.#streams.delete(stream);
        this.#executor.forget(stream);
      },
    };
  };

  /** Ends the open streams, whose calls must all be answered by then. */
  endStreams(): void {
    for (const stream of this.#streams) stream.end();
  }
}
