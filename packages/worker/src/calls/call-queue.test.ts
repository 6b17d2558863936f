import { describe, expect, it } from 'vitest';
import { CallQueue } from './call-queue.js';

const layer3 = { name: 'layer 3' };
const layer4 = { name: 'layer 4' };
const call = (callId: number, batchKey: object, batchRows = 8, sizeBytes = 100) => ({
  callId,
  batchKey,
  batchRows,
  sizeBytes,
});
const ids = (calls: readonly { callId: number }[]) => calls.map(({ callId }) => callId);

function queueOf(...calls: ReturnType<typeof call>[]) {
  const queue = new CallQueue<ReturnType<typeof call>>({ maxCalls: 16, maxBytes: 10_000 });
  for (const each of calls) queue.push(each);
  return queue;
}

describe('CallQueue', () => {
  it('takes all waiting calls of the layer of the oldest call together, in their order', () => {
    const queue = queueOf(call(1, layer3), call(2, layer4), call(3, layer3), call(4, layer4));
    expect(ids(queue.takeBatch(100))).toEqual([1, 3]);
    expect(ids(queue.takeBatch(100))).toEqual([2, 4]);
    expect(queue.takeBatch(100)).toEqual([]);
  });

  it('never mixes two loads of the same layer, which may hold other experts', () => {
    const queue = queueOf(call(1, { name: 'layer 3' }), call(2, { name: 'layer 3' }));
    expect(ids(queue.takeBatch(100))).toEqual([1]);
    expect(ids(queue.takeBatch(100))).toEqual([2]);
  });

  it('keeps a batch within the bound and leaves the later calls in their order', () => {
    const queue = queueOf(call(1, layer3, 6), call(2, layer3, 4), call(3, layer3, 1), call(4, layer3, 4));
    expect(ids(queue.takeBatch(10))).toEqual([1, 2]);
    expect(ids(queue.takeBatch(10))).toEqual([3, 4]);
  });

  it('does not let a small call overtake an older one of its layer that did not fit', () => {
    const queue = queueOf(call(1, layer3, 6), call(2, layer3, 8), call(3, layer3, 1));
    expect(ids(queue.takeBatch(10))).toEqual([1]);
    expect(ids(queue.takeBatch(10))).toEqual([2, 3]);
  });

  it('takes a call above the bound alone', () => {
    const queue = queueOf(call(1, layer3, 50), call(2, layer3, 1));
    expect(ids(queue.takeBatch(10))).toEqual([1]);
  });

  it('refuses a call when it is full, and takes one again after a batch was taken', () => {
    const queue = new CallQueue<ReturnType<typeof call>>({ maxCalls: 2, maxBytes: 10_000 });
    expect([queue.push(call(1, layer3)), queue.push(call(2, layer3)), queue.push(call(3, layer3))]).toEqual([
      true,
      true,
      false,
    ]);
    queue.takeBatch(100);
    expect(queue.push(call(4, layer3))).toBe(true);
  });

  it('is full at its bytes too, but always takes one call', () => {
    const queue = new CallQueue<ReturnType<typeof call>>({ maxCalls: 16, maxBytes: 1_000 });
    expect(queue.push(call(1, layer3, 8, 5_000))).toBe(true);
    expect(queue.push(call(2, layer3, 8, 1))).toBe(false);
    queue.takeBatch(100);
    expect([queue.push(call(3, layer3, 8, 600)), queue.push(call(4, layer3, 8, 600))]).toEqual([true, false]);
    expect(queue.push(call(5, layer3, 8, 400))).toBe(true);
  });

  it('gives up the calls of a stream that has ended', () => {
    const queue = queueOf(call(1, layer3), call(2, layer4), call(3, layer3));
    expect(ids(queue.takeWhere(({ batchKey }) => batchKey === layer3))).toEqual([1, 3]);
    expect(queue.size).toBe(1);
  });
});
