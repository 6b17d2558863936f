import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { formatBytes } from '../../expert-store/format-bytes.js';
import { MAX_PEER_UNFINISHED_BYTES, MAX_UNFINISHED_BYTES } from '../../limits/limits.js';
import { givesWayFirst } from '../gives-way.js';

/** Every piece of a message is an object of its own until the message is whole: a byte at a time costs more. */
const PIECE_BYTES = 256;

/** A call whose requests have not all come. */
export interface UnfinishedCall {
  readonly connection: {
    /** Of the machine. */
    readonly address: string;
    /** Of the connection: its address and port. */
    readonly peer: string;
    /** It has shown a role that commands: it does not give way to others. */
    readonly isTrusted: boolean;
  };
  /** Ends the call. */
  readonly fail: (reason: ExpertmeshError) => void;
}

/**
 * The memory that the unfinished calls of a port take: bounded for each connection, and for all together that have not
 * shown a role that commands, where a call of the one that holds most gives way.
 */
export class UnfinishedCalls {
  readonly #heldBytes = new Map<UnfinishedCall, number>();

  /** @throws ExpertmeshError `resource_exhausted` where the call may hold no more. */
  take(call: UnfinishedCall, numBytes: number): void {
    const sizeBytes = numBytes + PIECE_BYTES;
    const { peer, isTrusted } = call.connection;
    if (this.#sum((other) => other.peer === peer) + sizeBytes > MAX_PEER_UNFINISHED_BYTES)
      throw tooMuch('this connection', MAX_PEER_UNFINISHED_BYTES);
    if (!isTrusted) this.#makeRoom(call, sizeBytes);
    this.#heldBytes.set(call, (this.#heldBytes.get(call) ?? 0) + sizeBytes);
  }

  /** It is whole, or over. */
  end(call: UnfinishedCall): void {
    this.#heldBytes.delete(call);
  }

  #makeRoom(call: UnfinishedCall, sizeBytes: number): void {
    while (this.#sum((other) => !other.isTrusted) + sizeBytes > MAX_UNFINISHED_BYTES) {
      const reason = tooMuch('all connections together', MAX_UNFINISHED_BYTES);
      const held = (each: UnfinishedCall) => (this.#heldBytes.get(each) ?? 0) + (each === call ? sizeBytes : 0);
      const untrusted = [...new Set([...this.#heldBytes.keys(), call])].filter(
        ({ connection }) => !connection.isTrusted,
      );
      const most = givesWayFirst(untrusted, held, held);
      if (most === undefined || most === call) throw reason;
      this.end(most);
      most.fail(reason);
    }
  }

  #sum(isCounted: (connection: UnfinishedCall['connection']) => boolean): number {
    let sum = 0;
    for (const [{ connection }, heldBytes] of this.#heldBytes) if (isCounted(connection)) sum += heldBytes;
    return sum;
  }
}

const tooMuch = (whose: string, maxBytes: number): ExpertmeshError =>
  new ExpertmeshError(
    'resource_exhausted',
    `unfinished requests of ${whose} would have more than ${formatBytes(maxBytes)}: send fewer at a time`,
  );
