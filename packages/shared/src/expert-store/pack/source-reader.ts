import { closeSync, openSync, readSync } from 'node:fs';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { SOURCE_DTYPE_BYTES, type SourceTensor } from '../checkpoint/safetensors-header.js';
import { decodeBf16, decodeFp16 } from '../half-precision.js';

/** Values that one read gives at most, and at least one row: this bounds the memory of a thread. */
const CHUNK_VALUES = 256 * 1024;

/** Weight files that stay open; the one that was opened first goes when another is needed. */
const MAX_OPEN_FILES = 32;

/**
 * Reads checkpoint tensors as fp32, some whole rows at a time and never a whole tensor. It lives as long as its worker
 * thread, whose end closes the files.
 */
export class SourceReader {
  readonly #fds = new Map<string, number>();
  #bytes = new Uint8Array(0);
  #values = new Float32Array(0);

  /**
   * Yields the tensor's rows in order, some whole rows at a time (a vector is one row). The array is reused for the
   * next chunk.
   *
   * @throws ExpertmeshError `data_loss` when the file ends early, `failed_precondition` when it cannot be read.
   */
  *rows(tensor: SourceTensor): Generator<Float32Array> {
    const rowLength = tensor.shape.at(-1) ?? 1;
    const numValues = tensor.shape.reduce((product, dim) => product * dim, 1);
    const chunkLength = rowLength * Math.max(1, Math.floor(CHUNK_VALUES / rowLength));
    for (let start = 0; start < numValues; start += chunkLength)
      yield this.#read(tensor, start, Math.min(chunkLength, numValues - start));
  }

  #read(tensor: SourceTensor, start: number, length: number): Float32Array {
    if (this.#values.length < length) {
      this.#values = new Float32Array(length);
      this.#bytes = new Uint8Array(length * 4);
    }
    const valueBytes = SOURCE_DTYPE_BYTES[tensor.dtype];
    const bytes = this.#bytes.subarray(0, length * valueBytes);
    this.#fill(tensor, bytes, tensor.offsetBytes + start * valueBytes);
    const values = this.#values.subarray(0, length);
    if (tensor.dtype === 'F32') values.set(new Float32Array(bytes.buffer, 0, length));
    else (tensor.dtype === 'BF16' ? decodeBf16 : decodeFp16)(new Uint16Array(bytes.buffer, 0, length), values);
    return values;
  }

  #fill(tensor: SourceTensor, bytes: Uint8Array, offsetBytes: number): void {
    let doneBytes = 0;
    while (doneBytes < bytes.byteLength) {
      const numBytes = this.#readSome(tensor, bytes.subarray(doneBytes), offsetBytes + doneBytes);
      if (numBytes === 0)
        throw new ExpertmeshError('data_loss', `${tensor.file} ends within ${tensor.name}: download this file again`);
      doneBytes += numBytes;
    }
  }

  #readSome({ file }: SourceTensor, bytes: Uint8Array, offsetBytes: number): number {
    try {
      return readSync(this.#open(file), bytes, 0, bytes.byteLength, offsetBytes);
    } catch (cause) {
      const { message } = ExpertmeshError.from(cause);
      throw new ExpertmeshError('failed_precondition', `cannot read ${file}: ${message}`, { cause });
    }
  }

  #open(file: string): number {
    const open = this.#fds.get(file);
    if (open !== undefined) return open;
    const [oldest] = this.#fds;
    if (oldest !== undefined && this.#fds.size >= MAX_OPEN_FILES) {
      closeSync(oldest[1]);
      this.#fds.delete(oldest[0]);
    }
    const fd = openSync(file, 'r');
    this.#fds.set(file, fd);
    return fd;
  }
}
