import { describe, expect, it } from 'vitest';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { GRPC_PREFIX_BYTES, GrpcFrameReader, writeGrpcPrefix } from './grpc-frame.js';
import { UNCOUNTED } from './partial-memory.js';

const MAX_BYTES = 100_000;

function frameOf(sizeBytes: number): Buffer {
  const frame = Buffer.alloc(GRPC_PREFIX_BYTES + sizeBytes, sizeBytes % 251);
  writeGrpcPrefix(frame);
  return frame;
}

function openReader(memory = UNCOUNTED) {
  const messages: Buffer[] = [];
  return { messages, reader: new GrpcFrameReader(MAX_BYTES, memory, (message) => messages.push(message)) };
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

  it('counts what has come of a message, whatever it claims to be, until it is whole or dropped', () => {
    let heldBytes = 0;
    const memory = {
      take: (sizeBytes: number) => (heldBytes += sizeBytes),
      giveBack: (sizeBytes: number) => (heldBytes -= sizeBytes),
    };
    const { reader, messages } = openReader(memory);
    const frame = frameOf(40_000);
    const held = [GRPC_PREFIX_BYTES, 100, 20_000].map((end, index, ends) => {
      reader.push(frame.subarray(ends[index - 1] ?? 0, end));
      return heldBytes;
    });
    expect(held).toEqual([GRPC_PREFIX_BYTES, 100, 20_000]);
    reader.push(Buffer.concat([frame.subarray(20_000), frame, frame.subarray(0, 7)]));
    expect([heldBytes, messages.length]).toEqual([7, 2]);
    reader.drop();
    expect(heldBytes).toBe(0);
  });

  it('grows a long message as it comes', () => {
    const messages: Buffer[] = [];
    const reader = new GrpcFrameReader(10_000_000, UNCOUNTED, (message) => messages.push(message));
    const frame = frameOf(9_000_001);
    frame.forEach((_, index) => (index % 4099 === 0 && index >= GRPC_PREFIX_BYTES ? (frame[index] = index % 256) : 0));
    for (let start = 0; start < frame.byteLength; start += 65_537) reader.push(frame.subarray(start, start + 65_537));
    expect(messages.map((message) => message.equals(frame.subarray(GRPC_PREFIX_BYTES)))).toEqual([true]);
    expect(((messages[0]?.byteOffset ?? 0) - GRPC_PREFIX_BYTES) % 8).toBe(0);
  });

  it('holds nothing of a message that it may not have more of', () => {
    const none = {
      take: (): never => {
        throw new ExpertmeshError('resource_exhausted', 'full');
      },
      giveBack: () => undefined,
    };
    const { reader } = openReader(none);
    expect(() => {
      reader.push(frameOf(100).subarray(0, 50));
    }).toThrow('full');
  });

  it('refuses a compressed message', () => {
    const { reader } = openReader();
    expect(() => {
      reader.push(Buffer.of(1, 0, 0, 0, 0));
    }).toThrow(expect.objectContaining({ code: 'unimplemented' }));
  });
});
