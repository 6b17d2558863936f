import { randomIntegers } from '@expertmesh/shared/random/seeded-random';

/** What bytes of texts and of binary formats are replaced with: limits of numbers, brackets, quotes, long runs. */
const PIECES = [
  '[',
  ']',
  '{',
  '}',
  '"',
  ',',
  ':',
  '\\',
  '\0',
  '9'.repeat(20),
  '-1',
  '1e999',
  'null',
  '__proto__',
  '{{',
  '%}',
]
  .map((text) => Buffer.from(text))
  .concat([Buffer.of(0xff, 0xff, 0xff, 0xff), Buffer.alloc(300, 0x5b), Buffer.of(0xc3), Buffer.alloc(8)]);

const MAX_CHANGES = 6;
/** Of what is cut out or repeated. */
const MAX_RANGE_BYTES = 200;

/** Bytes made wrong in a few places, the same for the same seed: changed, cut out, repeated, put in, cut off. */
export function mutatedBytes(right: Uint8Array, seed: number): Buffer {
  const next = randomIntegers(seed);
  let bytes: Buffer = Buffer.from(right);
  for (let change = next() % MAX_CHANGES; change >= 0; change--) bytes = changed(bytes, next);
  return bytes;
}

function changed(bytes: Buffer, next: () => number): Buffer {
  const at = next() % (bytes.byteLength + 1);
  const end = Math.min(bytes.byteLength, at + (next() % MAX_RANGE_BYTES));
  const [before, range, after] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)];
  switch (next() % 6) {
    case 0:
      return Buffer.concat([before, after]);
    case 1:
      return Buffer.concat([before, range, range, after]);
    case 2:
      return Buffer.concat([before, PIECES[next() % PIECES.length] ?? range, bytes.subarray(at)]);
    case 3:
      return Buffer.concat([before, PIECES[next() % PIECES.length] ?? range, after]);
    case 4:
      return next() % 4 === 0 ? before : flipped(bytes, at, next() % 8);
    default:
      return flipped(bytes, at, next() % 8);
  }
}

function flipped(bytes: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  if (at < copy.byteLength) copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}
