import { promisify } from 'node:util';
import { crc32, deflateRaw, inflateRaw } from 'node:zlib';
import { ExpertmeshError } from '../errors/expertmesh-error.js';

/** Steps are written in chunks of about so many bytes before compression. */
export const CHUNK_CONTENT_BYTES = 512 * 1024;

/** Content of a chunk at most; one step must fit. */
export const MAX_CONTENT_BYTES = 64 * 1024 * 1024;

/** Compressed bytes, content bytes, checksum of the compressed bytes. */
export const FRAME_BYTES = 12;

export interface ChunkFrame {
  readonly compressedBytes: number;
  readonly contentBytes: number;
  readonly checksum: number;
}

/**
 * Fast rather than small: expert ids are nearly random, and what there is to gain (equal high bits) level 1 finds too.
 */
const COMPRESSION_LEVEL = 1;

const deflate = promisify<Uint8Array, { level: number }, Buffer>(deflateRaw);
const inflate = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflateRaw);

/** Frames whole steps; compresses beside the calling thread. */
export async function encodeChunk(content: Uint8Array): Promise<Uint8Array> {
  const compressed = await deflate(content, { level: COMPRESSION_LEVEL });
  const bytes = new Uint8Array(FRAME_BYTES + compressed.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, compressed.length, true);
  view.setUint32(4, content.length, true);
  view.setUint32(8, crc32(compressed), true);
  bytes.set(compressed, FRAME_BYTES);
  return bytes;
}

/** @throws ExpertmeshError `data_loss` for lengths that no writer writes. */
export function parseFrame(bytes: Uint8Array): ChunkFrame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_BYTES);
  const frame = {
    compressedBytes: view.getUint32(0, true),
    contentBytes: view.getUint32(4, true),
    checksum: view.getUint32(8, true),
  };
  if (frame.contentBytes > MAX_CONTENT_BYTES || frame.compressedBytes > 2 * MAX_CONTENT_BYTES)
    throw new ExpertmeshError('data_loss', 'the trace is damaged (a chunk with an impossible length): record it again');
  return frame;
}

/** @throws ExpertmeshError `data_loss` unless it is what was written. */
export async function decodeChunk(frame: ChunkFrame, compressed: Uint8Array): Promise<Uint8Array> {
  const wrong = (cause?: unknown): ExpertmeshError =>
    new ExpertmeshError('data_loss', 'the trace is damaged (the checksum of a chunk is wrong): record it again', {
      cause,
    });
  if (crc32(compressed) !== frame.checksum) throw wrong();
  const content = await inflate(compressed, { maxOutputLength: Math.max(1, frame.contentBytes) }).catch(
    (cause: unknown) => {
      throw wrong(cause);
    },
  );
  if (content.length !== frame.contentBytes) throw wrong();
  // Ids of 2 bytes are read in place, which wants an even address.
  return content.byteOffset % 4 === 0 ? content : Uint8Array.from(content);
}
