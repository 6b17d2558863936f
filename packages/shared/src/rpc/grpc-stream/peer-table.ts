import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { formatBytes } from '../../expert-store/format-bytes.js';
import { MAX_PARTIAL_BYTES, MAX_PEER_PARTIAL_BYTES, PARTIAL_TIMEOUT_MS } from '../../limits/limits.js';
import { givesWayFirst } from '../gives-way.js';
import { type PartialMemory } from './partial-memory.js';

/** Of one machine, strangers among them; a coordinator has one connection. */
export interface PeerConnection {
  readonly address: string;
  /** It has shown that it is a coordinator: it never gives way to others. */
  readonly isTrusted: boolean;
  /** Closes the connection, for one that may have its place. */
  readonly close: (reason: ExpertmeshError) => void;
}

/** A stream, as long as it is counted. */
export interface StreamMemory extends PartialMemory {
  /** A message has come whole: whoever sends them keeps its place. */
  noteMessage(): void;
  close(): void;
}

interface OpenStream {
  heldBytes: number;
  beganAtMs: number;
  readonly fail: (reason: ExpertmeshError) => void;
}

/** One connection, with what it has sent of unfinished messages. */
export class Peer {
  readonly connection: PeerConnection;
  readonly streams = new Set<OpenStream>();
  readonly #table: PeerTable;
  heldBytes = 0;
  lastMessageAtMs: number;

  constructor(connection: PeerConnection, table: PeerTable) {
    this.connection = connection;
    this.#table = table;
    this.lastMessageAtMs = table.nowMs();
  }

  /** @param fail ends the stream, and with it what is there of its message. */
  openStream(fail: (reason: ExpertmeshError) => void): StreamMemory {
    const stream: OpenStream = { heldBytes: 0, beganAtMs: 0, fail };
    this.streams.add(stream);
    return {
      take: (sizeBytes) => {
        this.#table.require(this, sizeBytes);
        if (stream.heldBytes === 0) stream.beganAtMs = this.#table.nowMs();
        this.#hold(stream, sizeBytes);
      },
      giveBack: (sizeBytes) => {
        this.#hold(stream, -sizeBytes);
      },
      noteMessage: () => {
        this.lastMessageAtMs = this.#table.nowMs();
      },
      close: () => {
        this.#hold(stream, -stream.heldBytes);
        this.streams.delete(stream);
      },
    };
  }

  /** Ends the streams that have a part of a message. */
  dropPartial(reason: ExpertmeshError, isDropped: (stream: OpenStream) => boolean = () => true): void {
    for (const stream of [...this.streams])
      if (stream.heldBytes > 0 && isDropped(stream)) {
        this.#hold(stream, -stream.heldBytes);
        stream.fail(reason);
      }
  }

  #hold(stream: OpenStream, sizeBytes: number): void {
    const held = Math.max(-stream.heldBytes, sizeBytes);
    stream.heldBytes += held;
    this.heldBytes += held;
  }
}

/**
 * The connections of a port, held to what they may have: places, and bytes of unfinished messages. Coordinators that
 * have shown who they are have their own bounds; of the others, who may all be strangers, the one that holds most gives
 * way.
 */
export class PeerTable {
  readonly #maxConnections: number;
  readonly #peers = new Set<Peer>();
  readonly nowMs: () => number;

  constructor(maxConnections: number, nowMs: () => number) {
    this.#maxConnections = maxConnections;
    this.nowMs = nowMs;
  }

  /** @throws ExpertmeshError `resource_exhausted` where every place is held by a trusted peer. */
  add(connection: PeerConnection): Peer {
    if (this.#peers.size >= this.#maxConnections) this.#freePlace();
    const peer = new Peer(connection, this);
    this.#peers.add(peer);
    return peer;
  }

  remove(peer: Peer): void {
    this.#peers.delete(peer);
  }

  /**
   * Makes room for so many bytes more of a peer.
   *
   * @throws ExpertmeshError `resource_exhausted` where it holds too much itself.
   */
  require(peer: Peer, sizeBytes: number): void {
    if (peer.heldBytes + sizeBytes > MAX_PEER_PARTIAL_BYTES) throw tooMuch('this connection', MAX_PEER_PARTIAL_BYTES);
    if (peer.connection.isTrusted) return;
    while (this.#untrustedBytes() + sizeBytes > MAX_PARTIAL_BYTES) {
      const reason = tooMuch('all connections together', MAX_PARTIAL_BYTES);
      const held = ({ heldBytes }: Peer) => heldBytes;
      const most = givesWayFirst(this.#untrusted(), held, (each) =>
        each === peer ? held(each) + sizeBytes : held(each),
      );
      if (most === undefined || most === peer) throw reason;
      most.dropPartial(reason);
    }
  }

  /** Ends streams whose message takes longer than any network that could be used would. */
  dropSlow(): void {
    const since = this.nowMs() - PARTIAL_TIMEOUT_MS;
    const reason = new ExpertmeshError(
      'deadline_exceeded',
      `a message was not complete after ${String(PARTIAL_TIMEOUT_MS / 1000)} s: send it whole, or smaller ones`,
    );
    for (const peer of this.#peers) peer.dropPartial(reason, ({ beganAtMs }) => beganAtMs <= since);
  }

  #freePlace(): void {
    const now = this.nowMs();
    const idle = ({ streams, lastMessageAtMs }: Peer) => (streams.size === 0 ? Infinity : now - lastMessageAtMs);
    const idlest = givesWayFirst(this.#untrusted(), () => 1, idle);
    const reason = new ExpertmeshError(
      'resource_exhausted',
      `${String(this.#maxConnections)} connections are open here, and more are not taken: close those that are idle`,
    );
    if (idlest === undefined) throw reason;
    this.remove(idlest);
    idlest.connection.close(reason);
  }

  #untrusted(): readonly Peer[] {
    return [...this.#peers].filter(({ connection }) => !connection.isTrusted);
  }

  #untrustedBytes(): number {
    return this.#untrusted().reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  }
}

const tooMuch = (whose: string, maxBytes: number): ExpertmeshError =>
  new ExpertmeshError(
    'resource_exhausted',
    `unfinished messages of ${whose} would have more than ${formatBytes(maxBytes)}: send fewer at a time`,
  );
