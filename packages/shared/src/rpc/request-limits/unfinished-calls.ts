import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { formatBytes } from '../../expert-store/format-bytes.js';
import { MAX_PEER_UNFINISHED_BYTES, MAX_UNFINISHED_BYTES, MAX_UNFINISHED_CALLS } from '../../limits/limits.js';

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

/** The unfinished calls of a machine that has not shown a role that commands. */
interface Machine {
  heldBytes: number;
  /** In the order in which they began. */
  readonly calls: Set<UnfinishedCall>;
}

/**
 * The memory that the unfinished calls of a port take: bounded for each connection, and for all together that have not
 * shown a role that commands, as is their number. Where it is taken, a call of the machine that holds most gives way.
 * What calls hold is summed up as it comes, so that a byte of one needs no look at the others.
 */
export class UnfinishedCalls {
  readonly #heldBytes = new Map<UnfinishedCall, number>();
  readonly #peerBytes = new Map<string, number>();
  /** By address. */
  readonly #untrusted = new Map<string, Machine>();
  #untrustedBytes = 0;
  #numUntrusted = 0;

  /** @throws ExpertmeshError `resource_exhausted` where the call may hold no more. */
  take(call: UnfinishedCall, numBytes: number): void {
    const addedBytes = numBytes + PIECE_BYTES;
    const { peer, isTrusted } = call.connection;
    if ((this.#peerBytes.get(peer) ?? 0) + addedBytes > MAX_PEER_UNFINISHED_BYTES)
      throw tooMuch('this connection', MAX_PEER_UNFINISHED_BYTES);
    if (!isTrusted) this.#makeRoom(call, addedBytes);
    this.#add(call, addedBytes);
  }

  /** It is whole, or over. */
  end(call: UnfinishedCall): void {
    const heldBytes = this.#heldBytes.get(call);
    if (heldBytes === undefined) return;
    this.#heldBytes.delete(call);
    const { address, peer, isTrusted } = call.connection;
    const peerBytes = (this.#peerBytes.get(peer) ?? 0) - heldBytes;
    if (peerBytes > 0) this.#peerBytes.set(peer, peerBytes);
    else this.#peerBytes.delete(peer);
    const machine = this.#untrusted.get(address);
    if (isTrusted || machine === undefined) return;
    machine.heldBytes -= heldBytes;
    machine.calls.delete(call);
    if (machine.calls.size === 0) this.#untrusted.delete(address);
    this.#untrustedBytes -= heldBytes;
    this.#numUntrusted -= 1;
  }

  #add(call: UnfinishedCall, addedBytes: number): void {
    const { address, peer, isTrusted } = call.connection;
    const heldBytes = this.#heldBytes.get(call);
    this.#heldBytes.set(call, (heldBytes ?? 0) + addedBytes);
    this.#peerBytes.set(peer, (this.#peerBytes.get(peer) ?? 0) + addedBytes);
    if (isTrusted) return;
    const machine = this.#untrusted.get(address) ?? { heldBytes: 0, calls: new Set() };
    machine.heldBytes += addedBytes;
    machine.calls.add(call);
    this.#untrusted.set(address, machine);
    this.#untrustedBytes += addedBytes;
    if (heldBytes === undefined) this.#numUntrusted += 1;
  }

  #makeRoom(call: UnfinishedCall, addedBytes: number): void {
    while (this.#untrustedBytes + addedBytes > MAX_UNFINISHED_BYTES) {
      const reason = tooMuch('all connections together', MAX_UNFINISHED_BYTES);
      const most = this.#machineOfMost(call, addedBytes, ({ heldBytes }) => heldBytes);
      this.#giveWay(this.#largestOf(most, call, addedBytes), call, reason);
    }
    if (this.#heldBytes.has(call) || this.#numUntrusted < MAX_UNFINISHED_CALLS) return;
    const [oldest = call] = this.#machineOfMost(call, 1, ({ calls }) => calls.size).calls;
    this.#giveWay(oldest, call, tooMany());
  }

  /** That has most of something, with what `call` adds to its own: nobody gains by having more connections. */
  #machineOfMost(call: UnfinishedCall, added: number, sizeOf: (machine: Machine) => number): Machine {
    const own = this.#untrusted.get(call.connection.address) ?? { heldBytes: 0, calls: new Set() };
    let [most, size] = [own, sizeOf(own) + added];
    for (const machine of this.#untrusted.values())
      if (machine !== own && sizeOf(machine) > size) [most, size] = [machine, sizeOf(machine)];
    return most;
  }

  /** Of a machine's calls and `call`, where it is its, the one that holds most. */
  #largestOf({ calls }: Machine, call: UnfinishedCall, addedBytes: number): UnfinishedCall {
    const { address } = call.connection;
    let [largest, size] = [call, -1];
    for (const each of calls) {
      const heldBytes = (this.#heldBytes.get(each) ?? 0) + (each === call ? addedBytes : 0);
      if (heldBytes > size) [largest, size] = [each, heldBytes];
    }
    const isOwn = this.#untrusted.get(address)?.calls === calls;
    return isOwn && !calls.has(call) && addedBytes > size ? call : largest;
  }

  #giveWay(given: UnfinishedCall, call: UnfinishedCall, reason: ExpertmeshError): void {
    if (given === call) throw reason;
    this.end(given);
    given.fail(reason);
  }
}

const tooMuch = (whose: string, maxBytes: number): ExpertmeshError =>
  new ExpertmeshError(
    'resource_exhausted',
    `unfinished requests of ${whose} would have more than ${formatBytes(maxBytes)}: send fewer at a time`,
  );

const tooMany = (): ExpertmeshError =>
  new ExpertmeshError(
    'resource_exhausted',
    `${String(MAX_UNFINISHED_CALLS)} requests of all connections together are unfinished: send fewer at a time`,
  );
