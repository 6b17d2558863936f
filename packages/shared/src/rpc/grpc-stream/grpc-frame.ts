import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { allocateFrame } from './frame-memory.js';
import { type PartialMemory } from './partial-memory.js';

/** A flag byte (0: not compressed) and the big-endian length, in front of every gRPC message. */
export const GRPC_PREFIX_BYTES = 5;

/** Of a longer message no more is allocated than a few times what has come of it. */
const FIRST_BYTES = 1024 * 1024;
/** Large, so that what has come is copied few times: a third of the message in all. */
const GROWTH = 4;

/** Writes the prefix of the message that follows it in `frame`. */
export function writeGrpcPrefix(frame: Buffer): void {
  frame[0] = 0;
  frame.writeUInt32BE(frame.byteLength - GRPC_PREFIX_BYTES, 1);
}

/**
 * Cuts the bytes of a stream into gRPC messages. Each is copied to GRPC_PREFIX_BYTES after an 8-byte aligned address:
 * so its tensors can be read as views.
 */
export class GrpcFrameReader {
  readonly #maxMessageBytes: number;
  readonly #memory: PartialMemory;
  readonly #onMessage: (message: Buffer) => void;
  readonly #prefix = Buffer.alloc(GRPC_PREFIX_BYTES);
  /** The frame that is being filled, once its length is known; it grows up to that. */
  #frame: Buffer | undefined;
  #frameBytes = 0;
  /** Bytes that are there of the prefix, or of the frame. */
  #numBytes = 0;
  #takenBytes = 0;

  /** @param memory where the bytes that have come of an unfinished message are counted. */
  constructor(maxMessageBytes: number, memory: PartialMemory, onMessage: (message: Buffer) => void) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#memory = memory;
    this.#onMessage = onMessage;
  }

  /**
   * @throws ExpertmeshError `resource_exhausted` for a message over the bound or what `memory` allows, `unimplemented`
   * for a compressed one; nothing can be read after that.
   */
  push(chunk: Buffer): void {
    for (let offset = 0; offset < chunk.byteLength;) {
      offset +=
        this.#frame === undefined ? this.#fillPrefix(chunk, offset) : this.#fillFrame(this.#frame, chunk, offset);
      if (this.#frame !== undefined && this.#numBytes === this.#frameBytes) this.#endFrame(this.#frame);
    }
    this.#count();
  }

  /** Forgets what is there of a message. */
  drop(): void {
    if (this.#takenBytes > 0) this.#memory.giveBack(this.#takenBytes);
    this.#takenBytes = 0;
    this.#frame = undefined;
    this.#numBytes = 0;
  }

  #fillPrefix(chunk: Buffer, offset: number): number {
    const numCopied = chunk.copy(this.#prefix, this.#numBytes, offset);
    this.#numBytes += numCopied;
    if (this.#numBytes === GRPC_PREFIX_BYTES) this.#startFrame();
    return numCopied;
  }

  #startFrame(): void {
    if (this.#prefix[0] !== 0)
      throw new ExpertmeshError('unimplemented', 'a compressed message came: send it as it is');
    const sizeBytes = this.#prefix.readUInt32BE(1);
    if (sizeBytes > this.#maxMessageBytes)
      throw new ExpertmeshError(
        'resource_exhausted',
        `a message of ${String(sizeBytes)} bytes came, at most ${String(this.#maxMessageBytes)} are taken: split it`,
      );
    this.#frameBytes = GRPC_PREFIX_BYTES + sizeBytes;
    this.#frame = allocateFrame(Math.min(this.#frameBytes, FIRST_BYTES));
  }

  #fillFrame(frame: Buffer, chunk: Buffer, offset: number): number {
    const target = this.#numBytes < frame.byteLength ? frame : this.#grow(frame);
    const numCopied = chunk.copy(target, this.#numBytes, offset);
    this.#numBytes += numCopied;
    return numCopied;
  }

  #grow(frame: Buffer): Buffer {
    const grown = allocateFrame(Math.min(this.#frameBytes, GROWTH * frame.byteLength));
    frame.copy(grown);
    this.#frame = grown;
    return grown;
  }

  /** Once a chunk: what began and ended in it is not held. */
  #count(): void {
    const heldBytes = this.#frame === undefined ? 0 : this.#numBytes;
    const takeBytes = heldBytes - this.#takenBytes;
    if (takeBytes <= 0) return;
    this.#memory.take(takeBytes);
    this.#takenBytes = heldBytes;
  }

  #endFrame(frame: Buffer): void {
    this.drop();
    this.#onMessage(frame.subarray(GRPC_PREFIX_BYTES));
  }
}
