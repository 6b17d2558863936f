import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { decodeChunk, FRAME_BYTES, parseFrame } from './trace-chunk.js';
import { HEADER_PREFIX_BYTES, headerJsonBytes, parseTraceHeader, type TraceHeader } from './trace-header.js';
import { stepsOf, type TraceStep } from './trace-step.js';

/** Reads a trace from its bytes as they come (a file, a call), one chunk in memory at a time. */
export class TraceReader {
  readonly header: TraceHeader;
  readonly #bytes: ByteQueue;
  #isTruncated = false;

  private constructor(header: TraceHeader, bytes: ByteQueue) {
    this.header = header;
    this.#bytes = bytes;
  }

  /** @throws ExpertmeshError `invalid_argument` for what is no trace, `data_loss` for a damaged or cut header. */
  static async open(source: AsyncIterable<Uint8Array>): Promise<TraceReader> {
    const bytes = new ByteQueue(source);
    const prefix = await bytes.take(HEADER_PREFIX_BYTES);
    const json = prefix && (await bytes.take(headerJsonBytes(prefix)));
    if (prefix === undefined || json === undefined)
      throw new ExpertmeshError('data_loss', 'the trace ends before its header does: record it again');
    return new TraceReader(parseTraceHeader(prefix, json), bytes);
  }

  /** Whether the end was missing; known after the last step. What came before it has been read. */
  get isTruncated(): boolean {
    return this.#isTruncated;
  }

  /**
   * Once. A step holds until the next one.
   *
   * @throws ExpertmeshError `data_loss` at the first damaged chunk.
   */
  async *steps(): AsyncGenerator<TraceStep, void, void> {
    for (let content = await this.#content(); content !== undefined; content = await this.#content())
      yield* stepsOf(this.header, content);
  }

  async #content(): Promise<Uint8Array | undefined> {
    if (await this.#bytes.isAtEnd()) return undefined;
    const frameBytes = await this.#bytes.take(FRAME_BYTES);
    const frame = frameBytes && parseFrame(frameBytes);
    const compressed = frame && (await this.#bytes.take(frame.compressedBytes));
    if (frame !== undefined && compressed !== undefined) return decodeChunk(frame, compressed);
    this.#isTruncated = true;
    return undefined;
  }
}

/** Pieces of any size, taken by the length that is wanted. */
class ByteQueue {
  readonly #source: AsyncIterator<Uint8Array>;
  #pieces: Uint8Array[] = [];
  #numBytes = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async isAtEnd(): Promise<boolean> {
    return !(await this.#fill(1));
  }

  /** @returns undefined when fewer are left. */
  async take(numBytes: number): Promise<Uint8Array | undefined> {
    if (!(await this.#fill(numBytes))) return undefined;
    const [first = new Uint8Array()] = this.#pieces;
    const joined = first.length >= numBytes ? first : Buffer.concat(this.#pieces, this.#numBytes);
    const rest = joined === first ? this.#pieces.slice(1) : [];
    this.#pieces = [joined.subarray(numBytes), ...rest];
    this.#numBytes -= numBytes;
    return joined.subarray(0, numBytes);
  }

  async #fill(numBytes: number): Promise<boolean> {
    while (this.#numBytes < numBytes) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#pieces.push(next.value);
      this.#numBytes += next.value.length;
    }
    return true;
  }
}
