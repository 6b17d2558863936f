import { Transform } from 'node:stream';
import { ZSTDDecoder } from 'zstddec';

const MAGIC = 0xfd2fb528;

/**
 * Decodes a body in zstd, all at once when it has ended, into at most `maxBytes`: of one that says that it is longer,
 * or whose encoded form already is, so many bytes are passed on that whoever reads it sees that it is too long.
 *
 * @returns a stream that fails with an Error for what is no zstd.
 */
export function zstdDecoder(maxBytes: number): Transform {
  const chunks: Buffer[] = [];
  let numBytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      numBytes += chunk.length;
      if (numBytes <= maxBytes) chunks.push(chunk);
      done();
    },
    flush(done) {
      decode(Buffer.concat(chunks), numBytes, maxBytes).then(
        (decoded) => {
          done(null, decoded);
        },
        (thrown: unknown) => {
          done(thrown instanceof Error ? thrown : new Error(String(thrown)));
        },
      );
    },
  });
}

async function decode(encoded: Buffer, numBytes: number, maxBytes: number): Promise<Buffer> {
  if (numBytes > maxBytes || contentBytes(encoded) > maxBytes) return Buffer.alloc(maxBytes + 1);
  const decoder = await readyDecoder();
  const decoded = decoder.decode(encoded, maxBytes);
  // The decoder says no more of an error than that there is nothing.
  if (decoded.length > 0) return Buffer.from(decoded);
  throw new Error(`it is empty, damaged, or longer than ${String(maxBytes)} bytes`);
}

let ready: Promise<ZSTDDecoder> | undefined;

/** Compiled when the first such body comes; 0.1 s. */
function readyDecoder(): Promise<ZSTDDecoder> {
  ready ??= (async () => {
    const decoder = new ZSTDDecoder();
    await decoder.init();
    return decoder;
  })();
  return ready;
}

/**
 * How long the frame says that its content is; 0 where it does not say.
 *
 * @throws Error for what is no frame of zstd. Layout: RFC 8878, section 3.1.1.
 */
function contentBytes(bytes: Buffer): number {
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== MAGIC) throw new Error('it is no zstd frame');
  const descriptor = bytes.readUInt8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const offset = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  if (bytes.length < offset + sizeBytes) throw new Error('it ends in its header');
  if (sizeBytes === 0) return 0;
  if (sizeBytes === 8) return Number(bytes.readBigUInt64LE(offset));
  return bytes.readUIntLE(offset, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
}
