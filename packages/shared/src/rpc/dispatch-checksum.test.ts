import { expect, it } from 'vitest';
import { twoRowCall as call } from '@expertmesh/test-kit/two-row-call';
import { CHECKSUM_BYTES, checksumField, DamagedMessageError, verified } from './dispatch-checksum.js';
import { decodeDispatchCall, encodeDispatchCall } from './dispatch-codec.js';

it('refuses a message in which any bit is another', () => {
  const message = encodeDispatchCall(call);
  for (let bit = 0; bit < 8 * message.byteLength; bit++) {
    const flipped = Buffer.from(message);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => verified(flipped)).toThrow(DamagedMessageError);
  }
});

it('names the call of a damaged message where its id can be read', () => {
  const damaged = Buffer.from(encodeDispatchCall(call));
  damaged[damaged.byteLength - 8] = (damaged[damaged.byteLength - 8] ?? 0) ^ 1;
  expect(() => decodeDispatchCall(damaged)).toThrow(expect.objectContaining({ callId: call.callId }));
});

it('says of a message without a checksum that its sender may be of another release', () => {
  const message = encodeDispatchCall(call).subarray(0, -CHECKSUM_BYTES);
  expect(() => verified(message)).toThrow(/does not end with its checksum.*another release/);
  const sealed = Buffer.concat([message, checksumField(message)]);
  expect(verified(sealed)).toEqual(message);
});
