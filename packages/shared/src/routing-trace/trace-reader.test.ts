import { describe, expect, it } from 'vitest';
import { arriving, madeUpSteps, madeUpTrace, traceHeader } from '@expertmesh/test-kit/made-up-trace';
import { seededRandom } from '../random/seeded-random.js';
import { encodeChunk } from './trace-chunk.js';
import { encodeTraceHeader, type TraceHeader } from './trace-header.js';
import { TraceReader } from './trace-reader.js';
import { numDecodeRows, newStep, type TraceStep } from './trace-step.js';

const routing = { seed: 3, stepRows: [1, 40, 7], numRows: 500 };

async function bytesOf(header: TraceHeader): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of madeUpTrace(header, routing)) pieces.push(piece);
  return Buffer.concat(pieces);
}

function* inPieces(bytes: Uint8Array, nextBytes: () => number): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length;) {
    const end = offset + nextBytes();
    yield bytes.subarray(offset, end);
    offset = end;
  }
}

const open = (bytes: Uint8Array, pieceBytes = 1000): Promise<TraceReader> =>
  TraceReader.open(arriving(inPieces(bytes, () => pieceBytes)));

const plain = ({ numRows, decodeBits, expertIds }: TraceStep): unknown => ({
  numRows,
  decodeBits: [...decodeBits],
  expertIds: [...expertIds],
});

async function stepsOf(reader: TraceReader): Promise<unknown[]> {
  const steps: unknown[] = [];
  for await (const step of reader.steps()) steps.push(plain(step));
  return steps;
}

describe('TraceReader', () => {
  it.each([
    ['ids of 1 byte', 128],
    ['ids of 2 bytes', 300],
  ])('reads what was written, with %s, in pieces of any size', async (_, numExperts) => {
    const header = traceHeader(3, { numExperts, layerIndices: [0, 2], storeId: 'store "7"' });
    const bytes = await bytesOf(header);
    const random = seededRandom(4);
    for (const nextBytes of [() => bytes.length, () => 1, () => 1 + Math.floor(random() * 5000)]) {
      const reader = await TraceReader.open(arriving(inPieces(bytes, nextBytes)));
      expect(reader.header).toEqual(header);
      expect(await stepsOf(reader)).toEqual([...madeUpSteps(header, routing)].map(({ step }) => plain(step)));
      expect(reader.isTruncated).toBe(false);
    }
  });

  it('keeps which rows decode', () => {
    const { step } = newStep(traceHeader(1), 20);
    step.decodeBits.set([0b1000_0001, 0, 0b1000]);
    expect(numDecodeRows(step)).toBe(3);
  });

  it('reads a trace that was cut anywhere up to its last whole chunk', async () => {
    const header = traceHeader(2);
    const steps = [...madeUpSteps(header, { ...routing, numRows: 48 })];
    const chunks = await Promise.all(steps.map(({ bytes }) => encodeChunk(bytes)));
    const whole = Buffer.concat([encodeTraceHeader(header), ...chunks]);
    const headerBytes = encodeTraceHeader(header).length;
    expect(steps.length).toBe(3);
    for (let length = headerBytes; length < whole.length; length += 13) {
      const reader = await open(whole.subarray(0, length));
      const ends = chunks.map((_, i) => Buffer.concat(chunks.slice(0, i + 1)).length + headerBytes);
      expect(await stepsOf(reader)).toHaveLength(ends.filter((end) => end <= length).length);
      expect(reader.isTruncated).toBe(length !== headerBytes && !ends.includes(length));
    }
  });

  it('never takes damaged bytes for routes', async () => {
    const header = traceHeader(2);
    const bytes = await bytesOf(header);
    const random = seededRandom(5);
    for (let trial = 0; trial < 300; trial++) {
      const damaged = Buffer.from(bytes);
      const at = Math.floor(random() * bytes.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 + Math.floor(random() * 255));
      const read = open(damaged).then(async (reader) => {
        const steps = await stepsOf(reader);
        // A length that says more than there is looks like a cut.
        if (!reader.isTruncated) throw new Error(`damage at ${String(at)} gave ${String(steps.length)} steps`);
      });
      await read.catch((error: unknown) => {
        expect(error).toMatchObject({ code: expect.stringMatching(/data_loss|invalid_argument/) as string });
      });
    }
  });

  it('refuses experts that the model has not, and steps that are not whole', async () => {
    const header = traceHeader(1);
    const { step, bytes } = newStep(header, 2);
    step.expertIds[3] = 128;
    const withChunk = async (content: Uint8Array): Promise<unknown> =>
      stepsOf(await open(Buffer.concat([encodeTraceHeader(header), await encodeChunk(content)])));
    await expect(withChunk(bytes)).rejects.toMatchObject({ code: 'data_loss', message: /does not exist/ });
    step.expertIds[3] = 127;
    await expect(withChunk(bytes)).resolves.toHaveLength(1);
    await expect(withChunk(bytes.subarray(4))).rejects.toMatchObject({ code: 'data_loss' });
    await expect(withChunk(bytes.subarray(0, 12))).rejects.toMatchObject({ message: /not whole/ });
  });

  it('says what is no trace, and what is of another version', async () => {
    await expect(open(Buffer.from('{"a": 1, "and": "so on"}'))).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(open(Buffer.from('EXM'))).rejects.toMatchObject({ code: 'data_loss' });
    const next = { ...traceHeader(1), formatVersion: 2 } as unknown as TraceHeader;
    await expect(open(Buffer.from(encodeTraceHeader(next)))).rejects.toMatchObject({ code: 'unimplemented' });
    const wrong = traceHeader(1, { topK: 200 });
    await expect(open(Buffer.from(encodeTraceHeader(wrong)))).rejects.toMatchObject({ message: /topK/ });
  });
});
