import { describe, expect, it } from 'vitest';
import { DispatchRequest, RowDtype } from '@expertmesh/shared/gen/expertmesh/v1/expert';
import { checksumField } from '@expertmesh/shared/rpc/dispatch-checksum';
import { decodeIncomingCall } from './incoming-call.js';

const request = DispatchRequest.fromPartial({
  callId: 5,
  layerIndex: 2,
  placementVersion: 3,
  numRows: 1,
  hiddenSize: 2,
  rowDtype: RowDtype.ROW_DTYPE_FP32,
  rowOffsets: [0, 1],
  expertIds: [4],
  routingWeights: [0.5],
  rows: new Uint8Array(8),
});

const sealed = (message: Uint8Array): Buffer => Buffer.concat([message, checksumField(message)]);

describe('decodeIncomingCall', () => {
  it('reads a call', () => {
    const message = sealed(DispatchRequest.encode(request).finish());
    expect(decodeIncomingCall(message)).toMatchObject({
      kind: 'call',
      sizeBytes: message.byteLength,
      call: { callId: 5, rowDtype: 'fp32', expertIds: Uint32Array.of(4) },
    });
  });

  it('names the call whose fields contradict each other, so that it can be answered', () => {
    const message = sealed(DispatchRequest.encode({ ...request, rowOffsets: [0, 2] }).finish());
    expect(decodeIncomingCall(message)).toMatchObject({
      kind: 'refused',
      identity: { callId: 5, layerIndex: 2, placementVersion: 3 },
      error: { code: 'invalid_argument', message: expect.stringContaining('row_offsets') as string },
    });
  });

  it('refuses a call that was damaged on its way, and the stream goes on', () => {
    const message = sealed(DispatchRequest.encode(request).finish());
    message[message.byteLength - 6] = 1;
    expect(decodeIncomingCall(message)).toMatchObject({
      kind: 'refused',
      identity: { callId: 5 },
      error: { code: 'data_loss', message: expect.stringContaining('CRC-32C') as string },
    });
  });

  it('throws for bytes that are no call', () => {
    expect(() => decodeIncomingCall(sealed(Uint8Array.of(0x3a, 0xff)))).toThrow(
      expect.objectContaining({ code: 'data_loss' }),
    );
  });
});
