import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** Whole numbers of at least 0, 7 bits a byte, lowest first; a byte below 128 is a number's last. */
export class VarintWriter {
  #bytes = new Uint8Array(64 * 1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  write(value: number): void {
    this.#reserve(8);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = 128 + (rest % 128);
    this.#bytes[this.#length++] = rest;
  }

  /** fp32 */
  writeFloat(value: number): void {
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  /** Values of which many are 0: a 0 is followed by how many more there are. */
  writeSparse(values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? 0;
      this.write(value);
      if (value !== 0) continue;
      const first = i;
      while (i + 1 < values.length && values[i + 1] === 0) i++;
      this.write(i - first);
    }
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(numBytes: number): void {
    if (this.#length + numBytes <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * this.#bytes.length);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/**
 * Reads what VarintWriter wrote. All methods throw ExpertmeshError `data_loss` past the end and for what it cannot have
 * written.
 */
export class VarintReader {
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#view.byteLength;
  }

  read(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      if (this.isAtEnd) throw damaged();
      const byte = this.#view.getUint8(this.#offset++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw damaged();
  }

  /** Finite, and at least 0. */
  readFloat(): number {
    if (this.#offset + 4 > this.#view.byteLength) throw damaged();
    const value = this.#view.getFloat32(this.#offset, true);
    this.#offset += 4;
    if (!(value >= 0 && value < Infinity)) throw damaged();
    return value;
  }

  /** Adds to as many values as were written. */
  addSparse(target: Float64Array): void {
    for (let i = 0; i < target.length; i++) {
      const value = this.read();
      target[i] = (target[i] ?? 0) + value;
      if (value === 0) i += this.read();
      if (i >= target.length) throw damaged();
    }
  }
}

const damaged = (): ExpertmeshError => new ExpertmeshError('data_loss', 'a message of expert loads is damaged');
