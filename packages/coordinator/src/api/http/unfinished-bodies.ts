import { type Readable } from 'node:stream';
import { type FastifyRequest } from 'fastify';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { givesWayFirst } from '@expertmesh/shared/rpc/gives-way';
import { HttpRefusal } from '../http-error.js';

/** Bodies of the largest size that may come at a time; more of them, where they are smaller. */
const NUM_LARGEST_BODIES = 4;
const MIN_BYTES = 64 * 1024 * 1024;

/** From the first byte of a request to its last. */
export const REQUEST_TIMEOUT_MS = 60_000;

interface UnfinishedBody {
  readonly connection: { readonly address: string };
  readonly begunAt: number;
  heldBytes: number;
  readonly fail: (reason: Error) => void;
}

/**
 * What is there of bodies that have not ended: bounded for all of them together, and of the machine that has sent most
 * the oldest gives way. A body of somebody who means it ends soon.
 */
export class UnfinishedBodies {
  readonly #maxBytes: number;
  readonly #bodies = new Set<UnfinishedBody>();
  #heldBytes = 0;
  #numBegun = 0;

  constructor(maxBodyBytes: number) {
    this.#maxBytes = Math.max(MIN_BYTES, NUM_LARGEST_BODIES * maxBodyBytes);
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Counts a body, as it is decoded, until it ends; one that gives way fails with an HttpRefusal of 503. */
  count({ ip }: Pick<FastifyRequest, 'ip'>, body: Readable): void {
    this.#numBegun += 1;
    const own: UnfinishedBody = {
      connection: { address: ip },
      begunAt: this.#numBegun,
      heldBytes: 0,
      fail: (reason) => body.emit('error', reason),
    };
    this.#bodies.add(own);
    const onData = (chunk: Buffer | string): void => {
      this.#hold(own, chunk.length);
    };
    const end = (): void => {
      body.off('data', onData);
      this.#forget(own);
    };
    body.on('data', onData);
    for (const event of ['end', 'error', 'close'] as const) body.once(event, end);
  }

  #hold(own: UnfinishedBody, sizeBytes: number): void {
    own.heldBytes += sizeBytes;
    this.#heldBytes += sizeBytes;
    while (this.#heldBytes > this.#maxBytes) {
      const first = givesWayFirst(
        [...this.#bodies],
        ({ heldBytes }) => heldBytes,
        ({ heldBytes, begunAt }) => (heldBytes === 0 ? -Infinity : -begunAt),
      );
      if (first === undefined) return;
      this.#forget(first);
      first.fail(this.#refusal());
    }
  }

  #forget(body: UnfinishedBody): void {
    if (this.#bodies.delete(body)) this.#heldBytes -= body.heldBytes;
  }

  #refusal(): HttpRefusal {
    const message = `Bodies of more than ${formatBytes(this.#maxBytes)} are being received; send this one again`;
    return new HttpRefusal(503, 'overloaded', message);
  }
}
