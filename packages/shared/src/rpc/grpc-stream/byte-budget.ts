import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { formatBytes } from '../../expert-store/format-bytes.js';

/** Memory that several readers share for the messages that they have in part. */
export class ByteBudget {
  readonly #maxBytes: number;
  #takenBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws ExpertmeshError `resource_exhausted` where less is left; nothing is taken then. */
  take(sizeBytes: number): void {
    if (this.#takenBytes + sizeBytes > this.#maxBytes)
      throw new ExpertmeshError(
        'resource_exhausted',
        `${formatBytes(this.#takenBytes)} of messages are being received and at most ` +
          `${formatBytes(this.#maxBytes)} may be: send fewer at a time`,
      );
    this.#takenBytes += sizeBytes;
  }

  giveBack(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes;
  }
}
