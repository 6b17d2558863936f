import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { crc32c } from './crc32c.js';
import { allocateFrame } from './grpc-stream/frame-memory.js';
import { GRPC_PREFIX_BYTES, writeGrpcPrefix } from './grpc-stream/grpc-frame.js';

/** Protobuf wire types that the dispatch messages use; groups (3 and 4) are obsolete and refused. */
export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

/**
 * Field number of the padding in front of tensors: undeclared (reserved) in the schema, so that every protobuf parser
 * skips it as an unknown field.
 */
const PADDING_FIELD = 14;
/** Of what ends a message; see dispatch-checksum.ts. */
export const CHECKSUM_FIELD = 12;
const CHECKSUM_FIELD_BYTES = 1 + Uint32Array.BYTES_PER_ELEMENT;
const TENSOR_ALIGNMENT_BYTES = 4;
/** Tag and length of a field (at most 1 + 5 bytes), and the longest padding field in front of it. */
const MAX_TENSOR_OVERHEAD_BYTES = 6 + TENSOR_ALIGNMENT_BYTES + 1;
const MAX_VARINT_BYTES = 10;
const MAX_VARINT_FIELD_BYTES = 1 + MAX_VARINT_BYTES;

/** Upper bound of the encoded size of fields with numbers below 16, and of the checksum. */
export function maxEncodedBytes(numVarints: number, tensors: readonly ArrayBufferView[]): number {
  return tensors.reduce(
    (total, tensor) => total + MAX_TENSOR_OVERHEAD_BYTES + tensor.byteLength,
    numVarints * MAX_VARINT_FIELD_BYTES + CHECKSUM_FIELD_BYTES,
  );
}

/**
 * Writes a message of protobuf fields with numbers below 16, and gRPC's prefix in front, into one buffer that is large
 * enough from the start.
 */
export class WireWriter {
  readonly #bytes: Buffer;
  #position = GRPC_PREFIX_BYTES;

  constructor(maxSizeBytes: number) {
    this.#bytes = allocateFrame(GRPC_PREFIX_BYTES + maxSizeBytes);
  }

  /** A varint field; as proto3 has it, 0 is not written. */
  uint(fieldNumber: number, value: number): void {
    if (value === 0) return;
    this.#tag(fieldNumber, WIRE_VARINT);
    this.#varint(value);
  }

  /** A length-delimited field: a string's or message's bytes. Empty ones are not written. */
  bytes(fieldNumber: number, value: ArrayBufferView): void {
    if (value.byteLength === 0) return;
    this.#tag(fieldNumber, WIRE_BYTES);
    this.#varint(value.byteLength);
    this.#bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), this.#position);
    this.#position += value.byteLength;
  }

  /**
   * A packed or bytes field whose content lies 4-byte aligned in the receiver's memory: there the message follows
   * GRPC_PREFIX_BYTES in an aligned buffer, as GrpcFrameReader and grpc-js have it.
   */
  tensor(fieldNumber: number, value: ArrayBufferView): void {
    const headerBytes = 1 + varintBytes(value.byteLength);
    const misalignment = (this.#position + headerBytes) % TENSOR_ALIGNMENT_BYTES;
    if (misalignment !== 0) this.#padding(TENSOR_ALIGNMENT_BYTES - misalignment);
    this.bytes(fieldNumber, value);
  }

  /** The message with its checksum at its end and gRPC's prefix in front. */
  finish(): Buffer {
    const crc = crc32c(this.#bytes.subarray(GRPC_PREFIX_BYTES, this.#position));
    this.#tag(CHECKSUM_FIELD, WIRE_FIXED32);
    this.#position = this.#bytes.writeUInt32LE(crc, this.#position);
    const frame = this.#bytes.subarray(0, this.#position);
    writeGrpcPrefix(frame);
    return frame;
  }

  // An empty bytes field takes two bytes, so one byte of padding becomes five.
  #padding(numBytes: number): void {
    const contentBytes = (numBytes < 2 ? numBytes + TENSOR_ALIGNMENT_BYTES : numBytes) - 2;
    this.#tag(PADDING_FIELD, WIRE_BYTES);
    this.#varint(contentBytes);
    this.#bytes.fill(0, this.#position, this.#position + contentBytes);
    this.#position += contentBytes;
  }

  #tag(fieldNumber: number, wireType: number): void {
    this.#bytes[this.#position++] = (fieldNumber << 3) | wireType;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#position++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#position++] = rest;
  }
}

function varintBytes(value: number): number {
  let numBytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) numBytes++;
  return numBytes;
}

/** Reads protobuf fields one after another. Every read is checked against the end; all errors are `data_loss`. */
export class WireReader {
  readonly #bytes: Uint8Array;
  #position = 0;
  fieldNumber = 0;
  wireType = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (this.#position === this.#bytes.byteLength) return false;
    const tag = this.uint32();
    this.fieldNumber = tag >>> 3;
    this.wireType = tag & 7;
    if (this.fieldNumber === 0) throw malformed('a field has number 0');
    return true;
  }

  /** A varint, as long as every parser accepts, whose value a number holds exactly. */
  uint(): number {
    let value = 0;
    for (let index = 0, scale = 1; index < MAX_VARINT_BYTES; index++, scale *= 0x80) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw malformed('it ends inside a number');
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number is larger than 2^53 - 1');
      if (byte < 0x80) return value;
    }
    throw tooLongNumber();
  }

  uint32(): number {
    const value = this.uint();
    if (value > 0xffffffff) throw malformed(`the number ${String(value)} does not fit 32 bits`);
    return value;
  }

  /** The content of a length-delimited field, as a view. */
  view(): Uint8Array {
    const sizeBytes = this.uint();
    return this.#advance(sizeBytes);
  }

  skip(): void {
    if (this.wireType === WIRE_VARINT) this.#skipVarint();
    else if (this.wireType === WIRE_FIXED64) this.#advance(8);
    else if (this.wireType === WIRE_BYTES) this.view();
    else if (this.wireType === WIRE_FIXED32) this.#advance(4);
    else throw malformed(`field ${String(this.fieldNumber)} has wire type ${String(this.wireType)}`);
  }

  // Any 64 bits, also those that no number of ours holds.
  #skipVarint(): void {
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw malformed('it ends inside a number');
      if (byte < 0x80) return;
    }
    throw tooLongNumber();
  }

  #advance(sizeBytes: number): Uint8Array {
    const end = this.#position + sizeBytes;
    if (end > this.#bytes.byteLength)
      throw malformed(
        `field ${String(this.fieldNumber)} needs ${String(sizeBytes)} bytes, ` +
          `${String(this.#bytes.byteLength - this.#position)} are left`,
      );
    const view = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return view;
  }
}

const tooLongNumber = (): ExpertmeshError => malformed(`a number has more than ${String(MAX_VARINT_BYTES)} bytes`);

const malformed = (what: string): ExpertmeshError =>
  new ExpertmeshError(
    'data_loss',
    `a dispatch message cannot be read: ${what}; sender and receiver must use the same schema`,
  );
