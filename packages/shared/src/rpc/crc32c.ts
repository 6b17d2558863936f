/** CRC-32C of some bytes; all implementations agree. */
export type Crc32c = (bytes: Uint8Array) => number;

/** Bits reversed, as the least significant bit of a byte is the first one. */
const POLYNOMIAL = 0x82f63b78;
const TABLES = makeTables();

/** CRC-32C (Castagnoli) as RFC 3720, B.4 has it, eight bytes at a time ("slicing by 8"). */
export const portableCrc32c: Crc32c = (bytes) => {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  const { length } = bytes;
  const end = length - (length % 8);
  let crc = 0xffffffff;
  let at = 0;
  for (; at < end; at += 8) {
    const low = crc ^ wordAt(bytes, at);
    const high = wordAt(bytes, at + 4);
    crc =
      look(t7, low) ^
      look(t6, low >>> 8) ^
      look(t5, low >>> 16) ^
      look(t4, low >>> 24) ^
      look(t3, high) ^
      look(t2, high >>> 8) ^
      look(t1, high >>> 16) ^
      look(t0, high >>> 24);
  }
  for (; at < length; at++) crc = look(t0, crc ^ (bytes[at] ?? 0)) ^ (crc >>> 8);
  return ~crc >>> 0;
};

let fastest = portableCrc32c;

/** CRC-32C by the fastest implementation that this thread has. */
export const crc32c: Crc32c = (bytes) => fastest(bytes);

/** To be called in a thread that has native kernels. */
export function useNativeCrc32c(native: Crc32c): void {
  fastest = native;
}

type Table = Uint32Array;
type Tables = readonly [Table, Table, Table, Table, Table, Table, Table, Table];

function look(table: Table, byte: number): number {
  return table[byte & 0xff] ?? 0;
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);

/** Table `n` has what a byte becomes that `n` zero bytes follow. */
function makeTables(): Tables {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    return crc;
  });
  const next = (table: Table): Table => table.map((crc) => look(first, crc) ^ (crc >>> 8));
  const [t1, t2, t3] = [next(first), next(next(first)), next(next(next(first)))];
  const t4 = next(t3);
  const t5 = next(t4);
  const t6 = next(t5);
  return [first, t1, t2, t3, t4, t5, t6, next(t6)];
}
