import { createHash } from 'node:crypto';

const MAGIC = Buffer.from('EMKV\0\0\0\x01');
const DIGEST_BYTES = 32;
const HEADER_BYTES = MAGIC.length + DIGEST_BYTES;

/**
 * A block as it lies on disk: a magic number, SHA-256 of its name and its bytes, its bytes.
 *
 * @param name what it is found by: a file under another name is none
 */
export function encodeBlockFile(name: string, bytes: Uint8Array): Buffer {
  return Buffer.concat([MAGIC, digestOf(name, bytes), bytes]);
}

/** The block's bytes; undefined where the file is torn, changed, or another block's. */
export function decodeBlockFile(name: string, file: Buffer): Uint8Array | undefined {
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const bytes = new Uint8Array(file.subarray(HEADER_BYTES));
  return file.subarray(MAGIC.length, HEADER_BYTES).equals(digestOf(name, bytes)) ? bytes : undefined;
}

function digestOf(name: string, bytes: Uint8Array): Buffer {
  return createHash('sha256').update(name).update(bytes).digest();
}
