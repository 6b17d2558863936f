import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { crc32c } from './crc32c.js';
import { CHECKSUM_FIELD, WIRE_FIXED32, WIRE_VARINT, WireReader } from './protobuf-wire.js';

/*
 * A dispatch message ends with the CRC-32C of all that is before it, as field 12 of fixed32. So whatever a message says
 * is covered, fields that are added later as well, and damage is seen before anything in it is believed.
 */

/** Tag and value. */
export const CHECKSUM_BYTES = 5;
const CHECKSUM_TAG = (CHECKSUM_FIELD << 3) | WIRE_FIXED32;
const CALL_ID_FIELD = 1;

/** A dispatch message whose bytes are not those that were sent, or whose sender does not say what they were. */
export class DamagedMessageError extends ExpertmeshError {
  /** As far as it can be read, so that it may be another one's; 0 where it cannot. */
  readonly callId: number;

  constructor(what: string, callId: number) {
    super('data_loss', `a dispatch message is damaged: ${what}`);
    this.callId = callId;
  }
}

/** The checksum field of a message, to be appended to it: for senders that have encoded it in another way. */
export function checksumField(message: Uint8Array): Buffer {
  const field = Buffer.alloc(CHECKSUM_BYTES);
  field[0] = CHECKSUM_TAG;
  field.writeUInt32LE(crc32c(message), 1);
  return field;
}

/**
 * The message without its checksum, as a view.
 *
 * @throws DamagedMessageError where it does not end with the checksum of what it has before.
 */
export function verified(message: Uint8Array): Uint8Array {
  const end = message.byteLength - CHECKSUM_BYTES;
  if (end < 0 || message[end] !== CHECKSUM_TAG)
    throw new DamagedMessageError(
      'it does not end with its checksum; where that stays so, its sender is of another release',
      callIdOf(message),
    );
  const stated = new DataView(message.buffer, message.byteOffset + end + 1, 4).getUint32(0, true);
  const body = message.subarray(0, end);
  const actual = crc32c(body);
  if (stated === actual) return body;
  throw new DamagedMessageError(
    `its ${String(end)} bytes have the CRC-32C ${hex(actual)}, it says ${hex(stated)}`,
    callIdOf(message),
  );
}

/** The call id of a message that may be anything; 0 where there is none. */
export function callIdOf(message: Uint8Array): number {
  try {
    const reader = new WireReader(message);
    return reader.next() && reader.fieldNumber === CALL_ID_FIELD && reader.wireType === WIRE_VARINT
      ? reader.uint32()
      : 0;
  } catch {
    return 0;
  }
}

const hex = (crc: number): string => crc.toString(16).padStart(8, '0');
