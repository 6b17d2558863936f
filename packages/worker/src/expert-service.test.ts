import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type SendAnswer } from './call-executor.js';
import { serveStream, type DispatchStream } from './expert-service.js';
import { type IncomingCall } from './incoming-call.js';

const incoming: IncomingCall = {
  kind: 'refused',
  identity: { callId: 1, layerIndex: 0, placementVersion: 1 },
  error: { code: 'invalid_argument', message: '' },
};
const answer = Buffer.of(1);

/** A stream that notes what is done to it; `isFull` is what its writes tell. */
class FakeStream extends EventEmitter implements DispatchStream {
  readonly actions: string[] = [];
  isFull = false;
  writableEnded = false;
  write(): boolean {
    this.actions.push('write');
    return !this.isFull;
  }
  end(): void {
    this.actions.push('end');
    this.writableEnded = true;
  }
  pause(): void {
    this.actions.push('pause');
  }
  resume(): void {
    this.actions.push('resume');
  }
}

/** A served stream over an executor that answers when the test says so. */
function openStream() {
  const stream = new FakeStream();
  const waiting: SendAnswer[] = [];
  const forgotten: object[] = [];
  const executor = {
    submit: (_: IncomingCall, __: object, send: SendAnswer) => waiting.push(send),
    forget: (owner: object) => forgotten.push(owner),
  };
  let isClosed = false;
  serveStream(stream, executor, () => (isClosed = true));
  const answerNext = (): void => waiting.shift()?.(answer);
  return { stream, answerNext, forgotten, isClosed: () => isClosed };
}

describe('serveStream', () => {
  it('ends the stream when its peer has ended and all calls are answered', () => {
    const { stream, answerNext } = openStream();
    stream.emit('data', incoming);
    stream.emit('data', incoming);
    answerNext();
    stream.emit('end');
    expect(stream.actions).toEqual(['write']);
    answerNext();
    expect(stream.actions).toEqual(['write', 'write', 'end']);
  });

  it('reads nothing from a peer that does not read its answers', () => {
    const { stream, answerNext } = openStream();
    stream.isFull = true;
    stream.emit('data', incoming);
    answerNext();
    expect(stream.actions).toEqual(['write', 'pause']);
    stream.emit('drain');
    expect(stream.actions).toEqual(['write', 'pause', 'resume']);
  });

  it('forgets the calls of a peer that is gone, and writes no answer to one that was being computed', () => {
    const { stream, answerNext, forgotten, isClosed } = openStream();
    stream.emit('data', incoming);
    stream.end();
    stream.emit('cancelled');
    answerNext();
    expect(forgotten).toEqual([stream]);
    expect(isClosed()).toBe(true);
    expect(stream.actions).toEqual(['end']);
  });
});
