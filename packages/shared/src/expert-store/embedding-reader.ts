import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { embeddingLayout, type StoredDtype, type StoredTensor } from './blob-layout.js';
import { EMBEDDING_BLOB_PATH } from './blob-path.js';
import { type ExpertStore } from './expert-store.js';
import { decodeBf16, decodeFp16 } from './half-precision.js';

/**
 * Reads embedding rows from the store's file, one read a row into one buffer: the embedding of a large model (1.2 GB)
 * is never resident, only what the operating system chooses to cache.
 */
export class EmbeddingReader {
  readonly #fd: number;
  readonly #file: string;
  readonly #vocabSize: number;
  readonly #hiddenSize: number;
  readonly #tensor: StoredTensor;
  readonly #row: Uint8Array;

  /**
   * @throws ExpertmeshError `not_found` when the file is missing, `data_loss` when it has another size than the
   * manifest says.
   */
  constructor(store: ExpertStore) {
    const layout = embeddingLayout(store.spec, store.quantisation);
    const [tensor] = layout.tensors;
    if (tensor === undefined) throw new ExpertmeshError('internal', 'the embedding layout has no tensor');
    this.#file = join(store.dir, EMBEDDING_BLOB_PATH);
    this.#vocabSize = store.spec.vocabSize;
    this.#hiddenSize = store.spec.hiddenSize;
    this.#tensor = tensor;
    this.#row = new Uint8Array(tensor.sizeBytes / this.#vocabSize);
    this.#fd = openWithSize(this.#file, layout.sizeBytes);
  }

  /**
   * Writes the rows of `tokenIds` to `out` as fp32 [tokenIds.length, hidden].
   *
   * @throws ExpertmeshError `invalid_argument` for a token id outside the vocabulary, `data_loss` when the file ends
   * early.
   */
  readRows(tokenIds: readonly number[] | Int32Array, out: Float32Array): void {
    if (out.length < tokenIds.length * this.#hiddenSize)
      throw new RangeError(`${String(tokenIds.length)} rows do not fit in ${String(out.length)} values`);
    let outIndex = 0;
    for (const tokenId of tokenIds) {
      this.#readRow(tokenId);
      decodeRow(this.#tensor.dtype, this.#row, out.subarray(outIndex, outIndex + this.#hiddenSize));
      outIndex += this.#hiddenSize;
    }
  }

  /** The rows of `tokenIds` as `readRows` writes them: fp32 [tokens, hidden]. */
  rowsOf(tokenIds: readonly number[]): Float32Array {
    const rows = new Float32Array(tokenIds.length * this.#hiddenSize);
    this.readRows(tokenIds, rows);
    return rows;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #readRow(tokenId: number): void {
    if (!Number.isInteger(tokenId) || tokenId < 0 || tokenId >= this.#vocabSize)
      throw new ExpertmeshError(
        'invalid_argument',
        `token id ${String(tokenId)} is not in the vocabulary of ${String(this.#vocabSize)} tokens`,
        { param: 'prompt' },
      );
    const rowBytes = this.#row.byteLength;
    const offsetBytes = this.#tensor.offsetBytes + tokenId * rowBytes;
    if (readSync(this.#fd, this.#row, 0, rowBytes, offsetBytes) !== rowBytes)
      throw new ExpertmeshError(
        'data_loss',
        `${this.#file} ends before the row of token ${String(tokenId)}: copy it again`,
      );
  }
}

function openWithSize(file: string, sizeBytes: number): number {
  const fd = openForReading(file);
  const actualBytes = fstatSync(fd).size;
  if (actualBytes === sizeBytes) return fd;
  closeSync(fd);
  throw new ExpertmeshError(
    'data_loss',
    `${file} has ${String(actualBytes)} bytes instead of ${String(sizeBytes)}: copy this file from the store again`,
  );
}

function openForReading(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    throw new ExpertmeshError('not_found', `${file} is missing: copy this file from the store to this machine`, {
      cause,
    });
  }
}

function decodeRow(dtype: StoredDtype, row: Uint8Array, out: Float32Array): void {
  const halves = (): Uint16Array => new Uint16Array(row.buffer, row.byteOffset, out.length);
  switch (dtype) {
    case 'F32':
      out.set(new Float32Array(row.buffer, row.byteOffset, out.length));
      return;
    case 'BF16':
      decodeBf16(halves(), out);
      return;
    case 'F16':
      decodeFp16(halves(), out);
      return;
    case 'U8':
      throw new ExpertmeshError('internal', 'an embedding is never block-quantised');
  }
}
