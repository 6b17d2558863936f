import { type Socket } from 'node:net';
import { givesWayFirst } from '../gives-way.js';

/** Handshakes of honest peers take a few round trips. */
const MAX_HANDSHAKES = 64;

interface Handshake {
  readonly connection: { readonly address: string };
  readonly socket: Socket;
  readonly age: number;
}

/**
 * The connections whose TLS handshake is not over: they have a bound of their own, so that nobody takes the places of
 * connections by beginning handshakes. Of the machine that has most of them, the oldest gives way.
 */
export class Handshakes {
  readonly #pending = new Map<string, Handshake>();
  #numBegun = 0;

  begin(socket: Socket): void {
    const key = keyOf(socket);
    this.#numBegun += 1;
    const address = socket.remoteAddress ?? '';
    const begun = { connection: { address }, socket, age: -this.#numBegun };
    this.#pending.set(key, begun);
    socket.once('close', () => {
      if (this.#pending.get(key) === begun) this.#pending.delete(key);
    });
    if (this.#pending.size > MAX_HANDSHAKES)
      givesWayFirst(
        [...this.#pending.values()],
        () => 1,
        ({ age }) => age,
      )?.socket.destroy();
  }

  /** @param socket what TLS has made of the one that began. */
  end(socket: Socket): void {
    this.#pending.delete(keyOf(socket));
  }
}

const keyOf = ({ remoteAddress = '', remotePort = 0 }: Socket): string => `${remoteAddress}:${String(remotePort)}`;
