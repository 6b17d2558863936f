import { type FastifyReply } from 'fastify';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { onAnswerEnd } from './http/answer-end.js';

/** The requests that are being answered, so that each ends with its client or, at the latest, with the server. */
export class InFlightRequests {
  readonly #controllers = new Map<FastifyReply, AbortController>();
  #isClosed = false;

  /** No further request is taken. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get size(): number {
    return this.#controllers.size;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Aborts when the client has gone before its answer was complete, or when the server ends. */
  signalOf(reply: FastifyReply): AbortSignal {
    const controller = new AbortController();
    this.#controllers.set(reply, controller);
    onAnswerEnd(reply, () => {
      this.#controllers.delete(reply);
      if (reply.raw.writableFinished) return;
      controller.abort(new ExpertmeshError('cancelled', 'The client closed the connection'));
    });
    return controller.signal;
  }

  /** Ends one that is still being answered. */
  abort(reply: FastifyReply, reason: ExpertmeshError): void {
    this.#controllers.get(reply)?.abort(reason);
  }

  abortAll(): void {
    for (const controller of this.#controllers.values()) controller.abort(shuttingDown());
  }
}

export function shuttingDown(): ExpertmeshError {
  return new ExpertmeshError('unavailable', 'The server is shutting down; send the request again');
}
