import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type ByteBudget } from './byte-budget.js';
import { allocateFrame } from './frame-memory.js';

/** A flag byte (0: not compressed) and the big-endian length, in front of every gRPC message. */
export const GRPC_PREFIX_BYTES = 5;

/** Writes the prefix of the message that follows it in `frame`. */
export function writeGrpcPrefix(frame: Buffer): void {
  frame[0] = 0;
  frame.writeUInt32BE(frame.byteLength - GRPC_PREFIX_BYTES, 1);
}

/**
 * Cuts the bytes of a stream into gRPC messages. Each is copied once, to GRPC_PREFIX_BYTES after an 8-byte aligned
 * address: so its tensors can be read as views.
 */
export class GrpcFrameReader {
  readonly #maxMessageBytes: number;
  readonly #budget: ByteBudget;
  readonly #onMessage: (message: Buffer) => void;
  readonly #prefix = Buffer.alloc(GRPC_PREFIX_BYTES);
  /** The frame that is being filled, once its length is known. */
  #frame: Buffer | undefined;
  /** Bytes that are there of the prefix, or of the frame. */
  #numBytes = 0;

  /** @param budget where the message that is there in part is counted. */
  constructor(maxMessageBytes: number, budget: ByteBudget, onMessage: (message: Buffer) => void) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#budget = budget;
    this.#onMessage = onMessage;
  }

  /**
   * @throws ExpertmeshError `resource_exhausted` for a message over the bound or the budget, `unimplemented` for a
   * compressed one; nothing can be read after that.
   */
  push(chunk: Buffer): void {
    for (let offset = 0; offset < chunk.byteLength;) {
      const target = this.#frame ?? this.#prefix;
      const numCopied = chunk.copy(target, this.#numBytes, offset);
      offset += numCopied;
      this.#numBytes += numCopied;
      if (this.#frame === undefined && this.#numBytes === GRPC_PREFIX_BYTES) this.#frame = this.#startFrame();
      if (this.#frame !== undefined && this.#numBytes === this.#frame.byteLength) this.#endFrame(this.#frame);
    }
  }

  /** Forgets what is there of a message. */
  drop(): void {
    if (this.#frame !== undefined) this.#budget.giveBack(this.#frame.byteLength - GRPC_PREFIX_BYTES);
    this.#frame = undefined;
    this.#numBytes = 0;
  }

  #startFrame(): Buffer {
    if (this.#prefix[0] !== 0)
      throw new ExpertmeshError('unimplemented', 'a compressed message came: send it as it is');
    const sizeBytes = this.#prefix.readUInt32BE(1);
    if (sizeBytes > this.#maxMessageBytes)
      throw new ExpertmeshError(
        'resource_exhausted',
        `a message of ${String(sizeBytes)} bytes came, at most ${String(this.#maxMessageBytes)} are taken: split it`,
      );
    this.#budget.take(sizeBytes);
    return allocateFrame(GRPC_PREFIX_BYTES + sizeBytes);
  }

  #endFrame(frame: Buffer): void {
    this.drop();
    this.#onMessage(frame.subarray(GRPC_PREFIX_BYTES));
  }
}
