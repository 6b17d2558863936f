import { endianness } from 'node:os';
import { ExpertmeshError, isErrorCode } from '../errors/expertmesh-error.js';
import { DispatchError, RowDtype as RowDtypeNumber } from '../gen/expertmesh/v1/expert.js';
import {
  type CallError,
  type DispatchAnswer,
  type DispatchCall,
  type RowDtype,
  WIRE_DTYPES,
  type WireRows,
} from './dispatch-message.js';
import { checkPairs, checkUnits, type DecodeErrorCode, refused } from './check-dispatch-call.js';
import { verified } from './dispatch-checksum.js';
import { elementBytes, numScales } from './wire-rows.js';
import { GRPC_PREFIX_BYTES } from './grpc-stream/grpc-frame.js';
import { maxEncodedBytes, WIRE_BYTES, WIRE_FIXED32, WIRE_VARINT, WireReader, WireWriter } from './protobuf-wire.js';

/*
 * The two tensor messages of proto/expertmesh/v1/expert.proto, bytes as protobuf has them, without generated code: a
 * packed field of fixed32 or float has the bytes of a little-endian typed array, so tensors are written with one copy
 * and read as views of the received message. Where a sender did not align them (another protobuf implementation), they
 * are copied.
 */
if (endianness() !== 'LE') throw new ExpertmeshError('unimplemented', 'Expertmesh runs on little-endian machines only');

const NUM_CALL_VARINTS = 6;
const NUM_ANSWER_VARINTS = 10;
const EMPTY = new Uint8Array(0);

/** `expertmesh.v1.DispatchRequest` with gRPC's prefix in front, in one allocation. */
export function frameDispatchCall(call: DispatchCall): Buffer {
  const { rowOffsets, expertIds, routingWeights, sumUnits = NO_UNITS, rowScales = NO_SCALES, rows } = call;
  const storeId = Buffer.from(call.storeId, 'hex');
  const tensors = [rowOffsets, expertIds, routingWeights, sumUnits, storeId, rowScales, rows];
  const writer = new WireWriter(maxEncodedBytes(NUM_CALL_VARINTS, tensors));
  writeHeader(writer, call);
  writer.tensor(7, rowOffsets);
  writer.tensor(8, expertIds);
  writer.tensor(9, routingWeights);
  writer.tensor(10, sumUnits);
  writer.bytes(11, storeId);
  writer.tensor(13, rowScales);
  writer.tensor(15, rows);
  return writer.finish();
}

/** `expertmesh.v1.DispatchRequest` alone. */
export function encodeDispatchCall(call: DispatchCall): Buffer {
  return frameDispatchCall(call).subarray(GRPC_PREFIX_BYTES);
}

/**
 * Reads a DispatchRequest. The tensors are views of `message` and keep its memory alive.
 *
 * @throws DamagedMessageError; ExpertmeshError `data_loss` for bytes that are no such message, `invalid_argument` for
 * fields that contradict each other.
 */
export function decodeDispatchCall(message: Uint8Array): DispatchCall {
  const fields = readFields(verified(message), CALL_FIELDS);
  const head = header(fields, 'invalid_argument');
  const { rowDtype, ...rows } = asRows(fields, head, 'invalid_argument');
  if (rowDtype === 'exact')
    throw refused('invalid_argument', 'row_dtype is ROW_DTYPE_EXACT (4), which only answers have');
  const call: DispatchCall = {
    ...head,
    storeId: Buffer.from(fields.tensor(11)).toString('hex'),
    rowOffsets: asUint32Array(fields.tensor(7)),
    expertIds: asUint32Array(fields.tensor(8)),
    routingWeights: asFloat32Array(fields.tensor(9)),
    ...(fields.has(10) && { sumUnits: asFloat32Array(fields.tensor(10)) }),
    ...rows,
    rowDtype,
  };
  checkPairs(call);
  checkUnits(call);
  return call;
}

/** `expertmesh.v1.DispatchResponse` likewise. */
export function frameDispatchAnswer(answer: DispatchAnswer): Buffer {
  const error = answer.error === undefined ? EMPTY : DispatchError.encode(toWireError(answer.error)).finish();
  const { rowScales = NO_SCALES, rows } = answer;
  const writer = new WireWriter(maxEncodedBytes(NUM_ANSWER_VARINTS, [error, rowScales, rows]));
  writeHeader(writer, answer);
  writer.uint(7, answer.numPairs);
  writer.bytes(8, error);
  writer.uint(9, answer.queueUs);
  writer.uint(10, answer.computeUs);
  writer.uint(11, answer.numCallsTogether);
  writer.tensor(13, rowScales);
  writer.tensor(15, rows);
  return writer.finish();
}

/** `expertmesh.v1.DispatchResponse` alone. */
export function encodeDispatchAnswer(answer: DispatchAnswer): Buffer {
  return frameDispatchAnswer(answer).subarray(GRPC_PREFIX_BYTES);
}

/**
 * Reads a DispatchResponse. The rows are a view of `message` and keep its memory alive; an answer with an error has
 * none.
 *
 * @throws DamagedMessageError; ExpertmeshError `data_loss` for bytes that are no such message or whose fields
 * contradict each other.
 */
export function decodeDispatchAnswer(message: Uint8Array): DispatchAnswer {
  const fields = readFields(verified(message), ANSWER_FIELDS);
  const error = fields.has(8) ? asError(fields.tensor(8)) : undefined;
  const rest = {
    numPairs: fields.uint(7),
    error,
    queueUs: fields.uint(9),
    computeUs: fields.uint(10),
    numCallsTogether: fields.uint(11),
  };
  if (error !== undefined) return { ...identity(fields), rowDtype: 'fp32', ...rest, rows: new Float32Array(0) };
  const head = header(fields, 'data_loss');
  return { ...head, ...rest, ...asRows(fields, head, 'data_loss') };
}

const ROW_DTYPES: readonly RowDtype[] = [...WIRE_DTYPES, 'exact'];
const DTYPE_NUMBER: Record<RowDtype, number> = {
  fp32: RowDtypeNumber.ROW_DTYPE_FP32,
  fp16: RowDtypeNumber.ROW_DTYPE_FP16,
  int8: RowDtypeNumber.ROW_DTYPE_INT8,
  exact: RowDtypeNumber.ROW_DTYPE_EXACT,
};
const NO_SCALES = new Float32Array(0);
const NO_UNITS = new Float32Array(0);

type Header = Pick<
  DispatchAnswer,
  'callId' | 'layerIndex' | 'placementVersion' | 'numRows' | 'hiddenSize' | 'rowDtype'
>;

function writeHeader(writer: WireWriter, header: Header): void {
  writer.uint(1, header.callId);
  writer.uint(2, header.layerIndex);
  writer.uint(3, header.placementVersion);
  writer.uint(4, header.numRows);
  writer.uint(5, header.hiddenSize);
  writer.uint(6, DTYPE_NUMBER[header.rowDtype]);
}

/** Field numbers by how they are read; all others are skipped. */
interface KnownFields {
  readonly uints: readonly number[];
  readonly tensors: readonly number[];
}

const CALL_FIELDS: KnownFields = { uints: [1, 2, 3, 4, 5, 6], tensors: [7, 8, 9, 10, 11, 13, 15] };
const ANSWER_FIELDS: KnownFields = { uints: [1, 2, 3, 4, 5, 6, 7, 9, 10, 11], tensors: [8, 13, 15] };
const PLACEMENT_VERSION_FIELD = 3;

/** The fields of one message by number, before they are given a meaning. */
class Fields {
  readonly #uints: number[] = [];
  readonly #tensors: Uint8Array[] = [];

  uint(fieldNumber: number): number {
    return this.#uints[fieldNumber] ?? 0;
  }

  tensor(fieldNumber: number): Uint8Array {
    return this.#tensors[fieldNumber] ?? EMPTY;
  }

  has(fieldNumber: number): boolean {
    return this.#tensors[fieldNumber] !== undefined;
  }

  // As protobuf has it, the last of several numbers counts.
  setUint(fieldNumber: number, value: number): void {
    this.#uints[fieldNumber] = value;
  }

  // Protobuf would join repeated parts of a packed field; that would cost a copy, and no encoder writes it.
  setTensor(fieldNumber: number, value: Uint8Array): void {
    if (this.has(fieldNumber)) throw refused('data_loss', `field ${String(fieldNumber)} comes twice; send it once`);
    this.#tensors[fieldNumber] = value;
  }
}

function readFields(message: Uint8Array, known: KnownFields): Fields {
  const fields = new Fields();
  const reader = new WireReader(message);
  while (reader.next()) {
    const { fieldNumber, wireType } = reader;
    if (known.tensors.includes(fieldNumber)) {
      if (wireType === WIRE_BYTES) fields.setTensor(fieldNumber, reader.view());
      else if (wireType === WIRE_FIXED32)
        throw refused('data_loss', `field ${String(fieldNumber)} is not packed; send it as one packed field`);
      else reader.skip();
    } else if (wireType === WIRE_VARINT && known.uints.includes(fieldNumber))
      fields.setUint(fieldNumber, fieldNumber === PLACEMENT_VERSION_FIELD ? reader.uint() : reader.uint32());
    else reader.skip();
  }
  return fields;
}

const identity = (fields: Fields): Omit<Header, 'rowDtype'> => ({
  callId: fields.uint(1),
  layerIndex: fields.uint(2),
  placementVersion: fields.uint(3),
  numRows: fields.uint(4),
  hiddenSize: fields.uint(5),
});

function header(fields: Fields, code: DecodeErrorCode): Header {
  const dtypeNumber = fields.uint(6);
  const rowDtype = ROW_DTYPES.find((dtype) => DTYPE_NUMBER[dtype] === dtypeNumber);
  if (rowDtype !== undefined) return { ...identity(fields), rowDtype };
  throw refused(
    code,
    `row_dtype is ${String(dtypeNumber)}, not ROW_DTYPE_FP32 (1), ROW_DTYPE_FP16 (2), ROW_DTYPE_INT8 (3) or ` +
      'ROW_DTYPE_EXACT (4)',
  );
}

function asRows(fields: Fields, { numRows, hiddenSize, rowDtype }: Header, code: DecodeErrorCode): WireRows<RowDtype> {
  const bytes = fields.tensor(15);
  const wantedBytes = elementBytes(rowDtype, numRows, hiddenSize);
  const hasHighParts = rowDtype === 'exact' && bytes.byteLength === 2 * wantedBytes;
  if (bytes.byteLength !== wantedBytes && !hasHighParts)
    throw refused(
      code,
      `rows has ${String(bytes.byteLength)} bytes, but ${String(numRows)} rows of ${String(hiddenSize)} ` +
        `${rowDtype} elements have ${String(wantedBytes)}`,
    );
  const rowScales = asFloat32Array(fields.tensor(13));
  const wantedScales = numScales(rowDtype, numRows, hiddenSize);
  if (rowScales.length !== wantedScales)
    throw refused(
      code,
      `row_scales has ${String(rowScales.length)} elements, ${String(numRows)} rows of ${String(hiddenSize)} ` +
        `${rowDtype} elements have ${String(wantedScales)}`,
    );
  switch (rowDtype) {
    case 'fp32':
    case 'exact':
      return { rowDtype, rows: asFloat32Array(bytes) };
    case 'fp16':
      return { rowDtype, rows: asUint16Array(bytes) };
    case 'int8':
      return { rowDtype, rows: new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), rowScales };
  }
}

function asUint32Array(bytes: Uint8Array): Uint32Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}

function asFloat32Array(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

function asUint16Array(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 2);
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

function aligned(bytes: Uint8Array, elementBytes: number): Uint8Array {
  if (bytes.byteLength % elementBytes !== 0)
    throw refused(
      'data_loss',
      `a tensor of ${String(elementBytes)}-byte elements has ${String(bytes.byteLength)} bytes`,
    );
  return bytes.byteOffset % elementBytes === 0 ? bytes : new Uint8Array(bytes);
}

const toWireError = ({ code, message, missingExpertIds = [] }: CallError): DispatchError => ({
  code,
  message,
  missingExpertIds: [...missingExpertIds],
});

function asError(bytes: Uint8Array): CallError {
  try {
    const { code, message, missingExpertIds } = DispatchError.decode(bytes);
    const error = { code: isErrorCode(code) ? code : ('internal' as const), message };
    return missingExpertIds.length === 0 ? error : { ...error, missingExpertIds };
  } catch (cause) {
    throw new ExpertmeshError('data_loss', 'a dispatch message is refused: its error cannot be read', { cause });
  }
}
