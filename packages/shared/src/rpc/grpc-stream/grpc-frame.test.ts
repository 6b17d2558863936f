import { describe, expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.js';
import { GRPC_PREFIX_BYTES, GrpcFrameReader, writeGrpcPrefix } from './grpc-frame.js';

const MAX_BYTES = 100_000;

function frameOf(sizeBytes: number): Buffer {
  const frame = Buffer.alloc(GRPC_PREFIX_BYTES + sizeBytes, sizeBytes % 251);
  writeGrpcPrefix(frame);
  return frame;
}

function openReader(budget = new ByteBudget(MAX_BYTES)) {
  const messages: Buffer[] = [];
  return { messages, reader: new GrpcFrameReader(MAX_BYTES, budget, (message) => messages.push(message)) };
}

// In the shared slabs and beyond.
const SIZES = [0, 1, 3, 4, 300, 32_700, 32_768, 90_000];
const frames = SIZES.map(frameOf);
const bytes = Buffer.concat(frames);

describe('GrpcFrameReader', () => {
  it.each([1, 2, 5, 7, 1000, 65_536, bytes.byteLength])('finds every message in chunks of %i bytes', (chunkBytes) => {
    const { messages, reader } = openReader();
    for (let start = 0; start < bytes.byteLength; start += chunkBytes)
      reader.push(bytes.subarray(start, start + chunkBytes));
    expect(messages.map((message) => message.toString('hex'))).toEqual(
      frames.map((frame) => frame.subarray(GRPC_PREFIX_BYTES).toString('hex')),
    );
  });

  it('puts every message where its tensors are aligned', () => {
    const { messages, reader } = openReader();
    reader.push(bytes);
    for (const { byteOffset } of messages) expect((byteOffset - GRPC_PREFIX_BYTES) % 8).toBe(0);
  });

  it('refuses a message over the bound before any of it is there', () => {
    const { reader } = openReader();
    expect(() => {
      reader.push(frameOf(MAX_BYTES + 1).subarray(0, GRPC_PREFIX_BYTES));
    }).toThrow(expect.objectContaining({ code: 'resource_exhausted' }));
  });

  it('counts a message in the budget from its prefix until it is whole or dropped', () => {
    const frame = frameOf(40_000);
    const budget = new ByteBudget(2 * 40_000);
    const [first, second, third] = [openReader(budget), openReader(budget), openReader(budget)];
    const begun = frame.subarray(0, GRPC_PREFIX_BYTES);
    first.reader.push(begun);
    second.reader.push(begun);
    expect(() => {
      third.reader.push(begun);
    }).toThrow(expect.objectContaining({ code: 'resource_exhausted' }));

    first.reader.push(frame.subarray(GRPC_PREFIX_BYTES));
    second.reader.drop();
    expect([first.messages.length, second.messages.length]).toEqual([1, 0]);
    const rest = openReader(budget);
    for (let count = 0; count < 3; count++) rest.reader.push(frame);
    expect(rest.messages.length).toBe(3);
  });

  it('refuses a compressed message', () => {
    const { reader } = openReader();
    expect(() => {
      reader.push(Buffer.of(1, 0, 0, 0, 0));
    }).toThrow(expect.objectContaining({ code: 'unimplemented' }));
  });
});
