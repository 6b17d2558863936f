import { checksumField } from '@expertmesh/shared/rpc/dispatch-checksum';
import { type ServedStream } from '@expertmesh/shared/rpc/grpc-stream/grpc-stream-server';
import { encodeDispatchCall } from '@expertmesh/shared/rpc/dispatch-codec';
import { describe, expect, it } from 'vitest';
import { type SendAnswer } from './call-executor.js';
import { ExpertService } from './expert-service.js';
import { type IncomingCall } from './incoming-call.js';

const message = encodeDispatchCall({
  callId: 1,
  layerIndex: 0,
  placementVersion: 1,
  numRows: 1,
  storeId: '0123456789abcdef',
  hiddenSize: 1,
  rowDtype: 'fp32',
  rowOffsets: Uint32Array.of(0, 1),
  expertIds: Uint32Array.of(3),
  routingWeights: Float32Array.of(1),
  rows: Float32Array.of(1),
});
const answer = Buffer.of(1);

/** A stream that notes what is done to it; `isFull` is what its sends tell. */
class FakeStream implements ServedStream {
  readonly actions: string[] = [];
  isFull = false;
  isOpen = true;
  send(): boolean {
    this.actions.push('send');
    return !this.isFull;
  }
  end(): void {
    this.actions.push('end');
    this.isOpen = false;
  }
  pause(): void {
    this.actions.push('pause');
  }
  resume(): void {
    this.actions.push('resume');
  }
}

/** An accepted stream over an executor that answers when the test says so. */
function acceptStream() {
  const stream = new FakeStream();
  const waiting: SendAnswer[] = [];
  const forgotten: object[] = [];
  const service = new ExpertService({
    submit: (_: IncomingCall, __: object, send: SendAnswer) => waiting.push(send),
    forget: (owner: object) => forgotten.push(owner),
  });
  const events = service.accept(stream);
  const answerNext = (): void => waiting.shift()?.(answer);
  return { stream, events, service, answerNext, forgotten };
}

describe('ExpertService', () => {
  it('ends a stream when its peer has ended and all calls are answered', () => {
    const { stream, events, answerNext } = acceptStream();
    events.onMessage(message);
    events.onMessage(message);
    answerNext();
    events.onEnd();
    expect(stream.actions).toEqual(['send']);
    answerNext();
    expect(stream.actions).toEqual(['send', 'send', 'end']);
  });

  it('reads nothing from a peer that does not read its answers', () => {
    const { stream, events, answerNext } = acceptStream();
    stream.isFull = true;
    events.onMessage(message);
    answerNext();
    expect(stream.actions).toEqual(['send', 'pause']);
    events.onDrain();
    expect(stream.actions).toEqual(['send', 'pause', 'resume']);
  });

  it('forgets the calls of a peer that is gone, and sends no answer to one that was being computed', () => {
    const { stream, events, service, answerNext, forgotten } = acceptStream();
    events.onMessage(message);
    service.endStreams();
    events.onClosed();
    answerNext();
    expect(forgotten).toEqual([stream]);
    expect(stream.actions).toEqual(['end']);
    service.endStreams();
    expect(stream.actions).toEqual(['end']);
  });

  it('leaves the end of the stream to a message that is none', () => {
    const { stream, events } = acceptStream();
    expect(() => {
      const none = Buffer.of(0x3a, 0xff);
      events.onMessage(Buffer.concat([none, checksumField(none)]));
    }).toThrow(expect.objectContaining({ code: 'data_loss' }));
    events.onEnd();
    expect(stream.actions).toEqual(['end']);
  });
});
