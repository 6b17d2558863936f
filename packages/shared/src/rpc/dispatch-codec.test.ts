import { describe, expect, it } from 'vitest';
import { twoRowCall as call } from '@expertmesh/test-kit/two-row-call';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { DispatchRequest, DispatchResponse, RowDtype } from '../gen/expertmesh/v1/expert.js';
import {
  decodeDispatchAnswer,
  decodeDispatchCall,
  encodeDispatchAnswer,
  encodeDispatchCall,
} from './dispatch-codec.js';
import { CHECKSUM_BYTES, checksumField } from './dispatch-checksum.js';
import {
  type CallError,
  type DispatchAnswer,
  type DispatchCall,
  type RowDtype as DtypeOfRows,
  WIRE_DTYPES,
  type WireDtype,
  type WireRows,
} from './dispatch-message.js';
import { GRPC_PREFIX_BYTES } from './grpc-stream/grpc-frame.js';
import { seededRandom } from '../random/seeded-random.js';
import { numScales } from './wire-rows.js';

type Random = () => number;

const integer = (random: Random, end: number): number => Math.floor(random() * end);

function randomRows(random: Random, rowDtype: WireDtype, numRows: number, hiddenSize: number): WireRows {
  const length = numRows * hiddenSize;
  if (rowDtype === 'fp16') return { rowDtype, rows: Uint16Array.from({ length }, () => integer(random, 65536)) };
  if (rowDtype === 'fp32') return { rowDtype, rows: Float32Array.from({ length }, () => random() - 0.5) };
  const rows = Int8Array.from({ length }, () => integer(random, 256) - 128);
  const rowScales = Float32Array.from({ length: numScales('int8', numRows, hiddenSize) }, random);
  return { rowDtype, rows, rowScales };
}

const randomDtype = (random: Random): WireDtype => WIRE_DTYPES[integer(random, WIRE_DTYPES.length)] ?? 'fp32';
/** Also of rows of several int8 blocks. */
const randomHiddenSize = (random: Random): number => 1 + integer(random, random() < 0.2 ? 300 : 40);

function randomCall(random: Random): DispatchCall {
  const numRows = 1 + integer(random, 6);
  const hiddenSize = randomHiddenSize(random);
  const rowOffsets = new Uint32Array(numRows + 1);
  for (let row = 0; row < numRows; row++) rowOffsets[row + 1] = (rowOffsets[row] ?? 0) + integer(random, 9);
  const numPairs = rowOffsets[numRows] ?? 0;
  return {
    callId: integer(random, 2 ** 32),
    layerIndex: integer(random, 100),
    placementVersion: integer(random, 2 ** 50),
    storeId: integer(random, 2 ** 48)
      .toString(16)
      .padStart(16, '0'),
    numRows,
    hiddenSize,
    rowOffsets,
    expertIds: Uint32Array.from({ length: numPairs }, () => integer(random, 128)),
    routingWeights: Float32Array.from({ length: numPairs }, random),
    ...(random() < 0.5 && { sumUnits: Float32Array.from({ length: numRows }, () => 2 ** (integer(random, 9) - 20)) }),
    ...randomRows(random, randomDtype(random), numRows, hiddenSize),
  };
}

const NO_ROWS: WireRows = { rowDtype: 'fp32', rows: new Float32Array(0) };

function randomAnswer(random: Random): DispatchAnswer {
  const failed = random() < 0.2;
  const numRows = 1 + integer(random, 6);
  const hiddenSize = randomHiddenSize(random);
  return {
    callId: integer(random, 2 ** 32),
    layerIndex: integer(random, 100),
    placementVersion: integer(random, 2 ** 50),
    numRows,
    hiddenSize,
    numPairs: integer(random, 1000),
    error: failed ? randomError(random) : undefined,
    queueUs: integer(random, 2 ** 20),
    computeUs: integer(random, 2 ** 20),
    numCallsTogether: 1 + integer(random, 4),
    ...(failed ? NO_ROWS : randomAnswerRows(random, numRows, hiddenSize)),
  };
}

/** As calls have them, or exact sums, also with high parts. */
function randomAnswerRows(random: Random, numRows: number, hiddenSize: number): WireRows<DtypeOfRows> {
  if (random() < 0.7) return randomRows(random, randomDtype(random), numRows, hiddenSize);
  const length = numRows * hiddenSize * (random() < 0.5 ? 1 : 2);
  return { rowDtype: 'exact', rows: Float32Array.from({ length }, random) };
}

const randomError = (random: Random): CallError =>
  random() < 0.5
    ? { code: 'data_loss', message: 'résumé 损坏' }
    : { code: 'failed_precondition', message: 'elsewhere', missingExpertIds: [integer(random, 512), 511] };

const bytesOf = (tensor: ArrayBufferView): Uint8Array =>
  new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength);
const dtypeNumber = (dtype: DtypeOfRows): RowDtype =>
  RowDtype[`ROW_DTYPE_${dtype.toUpperCase() as Uppercase<DtypeOfRows>}`];

const toGenerated = (call: DispatchCall): DispatchRequest => ({
  ...call,
  storeId: Uint8Array.from(Buffer.from(call.storeId, 'hex')),
  rowDtype: dtypeNumber(call.rowDtype),
  rowOffsets: [...call.rowOffsets],
  expertIds: [...call.expertIds],
  routingWeights: [...call.routingWeights],
  sumUnits: [...(call.sumUnits ?? [])],
  rowScales: [...(call.rowScales ?? [])],
  rows: Uint8Array.from(bytesOf(call.rows)),
});

const toGeneratedAnswer = (answer: DispatchAnswer): DispatchResponse => ({
  ...answer,
  rowDtype: dtypeNumber(answer.rowDtype),
  error: answer.error && { ...answer.error, missingExpertIds: [...(answer.error.missingExpertIds ?? [])] },
  rowScales: [...(answer.rowScales ?? [])],
  rows: Uint8Array.from(bytesOf(answer.rows)),
});

/** What generated code reads, with plain arrays for its bytes and without the checksum. */
const plainCall = ({ checksum: _, ...message }: DispatchRequest) => ({
  ...message,
  storeId: Uint8Array.from(message.storeId),
  rows: Uint8Array.from(message.rows),
});
const plainAnswer = ({ checksum: _, ...message }: DispatchResponse) => ({
  ...message,
  rows: Uint8Array.from(message.rows),
});

/** Bytes that are no message yet, with the checksum that makes them one. */
const sealed = (...parts: readonly Uint8Array[]): Buffer => {
  const message = Buffer.concat(parts);
  return Buffer.concat([message, checksumField(message)]);
};
const unsealed = (message: Uint8Array): Uint8Array => message.subarray(0, -CHECKSUM_BYTES);

/** The message as grpc-js hands it over: behind its prefix in one aligned buffer. */
function received(message: Uint8Array): Buffer {
  const framed = new Uint8Array(GRPC_PREFIX_BYTES + message.byteLength);
  framed.set(message, GRPC_PREFIX_BYTES);
  return Buffer.from(framed.buffer, GRPC_PREFIX_BYTES);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof ExpertmeshError) return thrown.code;
    throw thrown;
  }
  return 'no error';
}

describe('dispatch codec', () => {
  it('reads back what it wrote, without a copy, for calls and answers of every size', () => {
    const random = seededRandom(1);
    for (let round = 0; round < 500; round++) {
      const sent = randomCall(random);
      const buffer = received(encodeDispatchCall(sent));
      const read = decodeDispatchCall(buffer);
      expect(read).toEqual(sent);
      for (const tensor of [read.rowOffsets, read.rows]) expect(tensor.buffer).toBe(buffer.buffer);
      if (sent.expertIds.length > 0)
        for (const tensor of [read.expertIds, read.routingWeights]) expect(tensor.buffer).toBe(buffer.buffer);

      const answer = randomAnswer(random);
      const answerBuffer = received(encodeDispatchAnswer(answer));
      const readAnswer = decodeDispatchAnswer(answerBuffer);
      expect(readAnswer).toEqual(answer);
      if (answer.error === undefined) expect(readAnswer.rows.buffer).toBe(answerBuffer.buffer);
    }
  });

  it('writes messages that generated code reads', () => {
    const random = seededRandom(2);
    for (let round = 0; round < 300; round++) {
      const sent = randomCall(random);
      expect(plainCall(DispatchRequest.decode(encodeDispatchCall(sent)))).toEqual(toGenerated(sent));
      const answer = randomAnswer(random);
      expect(plainAnswer(DispatchResponse.decode(encodeDispatchAnswer(answer)))).toEqual(toGeneratedAnswer(answer));
    }
  });

  it('reads messages that generated code wrote, copying tensors that are not aligned', () => {
    const random = seededRandom(3);
    let numCopied = 0;
    for (let round = 0; round < 300; round++) {
      const sent = randomCall(random);
      const buffer = received(sealed(DispatchRequest.encode(toGenerated(sent)).finish()));
      const read = decodeDispatchCall(buffer);
      expect(read).toEqual(sent);
      if (read.rows.buffer !== buffer.buffer) numCopied++;
      const answer = randomAnswer(random);
      expect(decodeDispatchAnswer(sealed(DispatchResponse.encode(toGeneratedAnswer(answer)).finish()))).toEqual(answer);
    }
    expect(numCopied).toBeGreaterThan(0);
  });

  it('reads a message at any place in memory', () => {
    const message = encodeDispatchCall(call);
    for (let offset = 0; offset < 8; offset++) {
      const memory = new Uint8Array(offset + message.byteLength);
      memory.set(message, offset);
      expect(decodeDispatchCall(memory.subarray(offset))).toEqual(call);
    }
  });

  it('skips fields that it does not know', () => {
    const unknown = [0xa0, 0x06, 0x01, 0xa2, 0x06, 2, 9, 9, 0xa5, 0x06, 0, 0, 0, 0, 0xa1, 0x06, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(decodeDispatchCall(sealed(Buffer.from(unknown), unsealed(encodeDispatchCall(call))))).toEqual(call);
  });

  it('skips numbers of 64 bits in fields that it does not know', () => {
    const minusOne = [...new Array<number>(9).fill(0xff), 1];
    for (const tag of [[0x60], [0x80, 0x01]]) {
      const message = sealed(unsealed(encodeDispatchCall(call)), Buffer.from([...tag, ...minusOne]));
      expect(decodeDispatchCall(message)).toEqual(call);
    }
  });

  it('takes the last of several numbers and numbers with leading zero groups, as protobuf has it', () => {
    const callIdNine = [0x08, 0x89, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
    expect(decodeDispatchCall(sealed(unsealed(encodeDispatchCall(call)), Buffer.from(callIdNine))).callId).toBe(9);
  });

  it('refuses a message that ends anywhere too early', () => {
    const message = unsealed(encodeDispatchCall(call));
    for (let length = 0; length < message.byteLength; length++) {
      expect(codeOf(() => decodeDispatchCall(message.subarray(0, length)))).toBe('data_loss');
      expect(codeOf(() => decodeDispatchCall(sealed(message.subarray(0, length))))).not.toBe('no error');
    }
  });

  it('throws nothing but ExpertmeshError for damaged bytes', () => {
    const random = seededRandom(4);
    for (let round = 0; round < 20_000; round++) {
      const damagedCall = Buffer.from(encodeDispatchCall(randomCall(random)));
      const damagedAnswer = Buffer.from(encodeDispatchAnswer(randomAnswer(random)));
      for (const damaged of [damagedCall, damagedAnswer])
        for (let flip = integer(random, 4); flip >= 0; flip--)
          damaged[integer(random, Math.min(damaged.length, 80))] = integer(random, 256);
      codeOf(() => decodeDispatchCall(sealed(unsealed(damagedCall))));
      codeOf(() => decodeDispatchAnswer(sealed(unsealed(damagedAnswer))));
    }
  });

  it.each<[string, Partial<DispatchCall>]>([
    ['rows that are too short', { rows: Float32Array.of(1, 2, 3, 4, 5) }],
    ['rows of the other dtype', { rowDtype: 'fp16' }],
    ['int8 rows without scales', { rowDtype: 'int8', rows: new Int8Array(6) }],
    ['a scale too many', { rowDtype: 'int8', rows: new Int8Array(6), rowScales: new Float32Array(3) }],
    ['scales that its dtype has not', { rowScales: new Float32Array(2) }],
    ['a size that overflows', { numRows: 2 ** 32 - 1, hiddenSize: 2 ** 32 - 1 }],
  ])('refuses a call with %s', (_, wrong) => {
    expect(codeOf(() => decodeDispatchCall(encodeDispatchCall({ ...call, ...wrong })))).toBe('invalid_argument');
  });

  it.each<[string, number[]]>([
    ['a tensor that comes twice', [0x3a, 4, 0, 0, 0, 0]],
    ['a tensor that is not packed', [0x3d, 0, 0, 0, 0]],
    ['a group', [0x53]],
    ['field number 0', [0x02, 0]],
    ['a number of more than 10 bytes', [0x08, ...new Array<number>(10).fill(0x80), 1]],
    ['an unknown number of more than 10 bytes', [0x60, ...new Array<number>(10).fill(0x80), 1]],
    ['a call id of more than 32 bits', [0x08, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['a placement version above 2^53', [0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['a length beyond the end', [0x72, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])('refuses a message with %s', (_, wrong) => {
    const message = sealed(unsealed(encodeDispatchCall(call)), Buffer.from(wrong));
    expect(codeOf(() => decodeDispatchCall(message))).toBe('data_loss');
  });

  it('reads an error code that it does not know as internal', () => {
    const error = { code: 'newer_code', message: 'from a later version' };
    const message = sealed(DispatchResponse.encode(DispatchResponse.create({ callId: 4, error })).finish());
    expect(decodeDispatchAnswer(message)).toMatchObject({
      callId: 4,
      error: { code: 'internal', message: 'from a later version' },
    });
  });
});
