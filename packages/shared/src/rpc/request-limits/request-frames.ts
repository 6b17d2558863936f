import { GRPC_PREFIX_BYTES } from '../grpc-stream/grpc-frame.js';

/** Follows the messages in the bytes of a call, and keeps none of them. */
export class RequestFrames {
  readonly #onMessage: (sizeBytes: number, isCompressed: boolean) => void;
  readonly #prefix = Buffer.alloc(GRPC_PREFIX_BYTES);
  #prefixBytes = 0;
  #missingBytes = 0;

  /** @param onMessage told of each message when its prefix has come; what it throws ends the reading. */
  constructor(onMessage: (sizeBytes: number, isCompressed: boolean) => void) {
    this.#onMessage = onMessage;
  }

  /** Whether a message has begun and is not whole. */
  get isInMessage(): boolean {
    return this.#prefixBytes > 0;
  }

  push(chunk: Buffer): void {
    for (let offset = 0; offset < chunk.byteLength;) {
      const numRead =
        this.#prefixBytes < GRPC_PREFIX_BYTES ? this.#readPrefix(chunk, offset) : this.#skip(chunk, offset);
      offset += numRead;
      if (this.#prefixBytes === GRPC_PREFIX_BYTES && this.#missingBytes === 0) this.#prefixBytes = 0;
    }
  }

  #readPrefix(chunk: Buffer, offset: number): number {
    const numCopied = chunk.copy(this.#prefix, this.#prefixBytes, offset);
    this.#prefixBytes += numCopied;
    if (this.#prefixBytes === GRPC_PREFIX_BYTES) {
      this.#missingBytes = this.#prefix.readUInt32BE(1);
      this.#onMessage(this.#missingBytes, this.#prefix[0] !== 0);
    }
    return numCopied;
  }

  #skip(chunk: Buffer, offset: number): number {
    const numSkipped = Math.min(this.#missingBytes, chunk.byteLength - offset);
    this.#missingBytes -= numSkipped;
    return numSkipped;
  }
}
