import { ExpertmeshError } from '../../errors/expertmesh-error.js';

/** One value of DER (ITU-T X.690). */
export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

export const DER_TAGS = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  /** `[0]`, around whole values. */
  context0: 0xa0,
} as const;

/** Longer ones would need more than four bytes to say so. */
const MAX_LENGTH_BYTES = 4;

/** The values that lie one after the other. @throws ExpertmeshError `invalid_argument` for what is no DER. */
export function derValues(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const value = valueAt(bytes, offset);
    values.push(value);
    offset += value.whole.length;
  }
  return values;
}

/** What is in a value of this kind. @throws ExpertmeshError `invalid_argument` where it is another, or is not there. */
export function derContent(value: DerValue | undefined, tag: number): Buffer {
  if (value?.tag === tag) return value.content;
  throw malformed(`a value of kind ${String(tag)} is expected, and ${value ? String(value.tag) : 'none'} is there`);
}

function valueAt(bytes: Buffer, offset: number): DerValue {
  const tag = bytes[offset] ?? 0;
  const first = bytes[offset + 1];
  if (first === undefined || (tag & 0x1f) === 0x1f) throw malformed('a value is cut, or of a kind that is unknown');
  const numLengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const start = offset + 2 + numLengthBytes;
  if (first === 0x80 || numLengthBytes > MAX_LENGTH_BYTES || start > bytes.length) throw malformed('a length is wrong');
  const length = numLengthBytes === 0 ? first : bytes.readUIntBE(offset + 2, numLengthBytes);
  if (length > bytes.length - start)
    throw malformed(`${String(length)} bytes are claimed, and ${String(bytes.length - start)} are there`);
  const end = start + length;
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(offset, end) };
}

const malformed = (reason: string): ExpertmeshError =>
  new ExpertmeshError('invalid_argument', `it is no DER: ${reason}`);
