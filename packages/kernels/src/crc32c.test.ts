import { portableCrc32c, type Crc32c } from '@expertmesh/shared/rpc/crc32c';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { loadKernels } from './kernels.js';

/** RFC 3720, B.4, and the check value that catalogues of CRCs name it by. */
const KNOWN: readonly (readonly [string, Uint8Array, number])[] = [
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 that ascend', Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  ['32 that descend', Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
  ['an iSCSI read command', iscsiRead(), 0xd9963a56],
  ['123456789', new TextEncoder().encode('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(0), 0],
];

const kernels = loadKernels();
const implementations: (readonly [string, Crc32c])[] = [['portable', portableCrc32c]];
if (kernels !== undefined) implementations.push(['native', (bytes) => kernels.crc32c(bytes)]);

describe.each(implementations)('CRC-32C, %s', (_, crc32c) => {
  it.each(KNOWN)('is as published for %s', (_name, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it('is that of the definition, bit by bit, for every length and alignment', () => {
    const random = seededRandom(7);
    const memory = Uint8Array.from({ length: 60_000 }, () => Math.floor(random() * 256));
    const lengths = [...Array(70).keys(), 767, 768, 769, 800, 4096, 12_287, 12_288, 12_289, 13_100, 50_001];
    for (const [index, length] of lengths.entries()) {
      const bytes = memory.subarray(index % 9, (index % 9) + length);
      expect(crc32c(bytes)).toBe(bitByBit(bytes));
    }
  });
});

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f63b78;
  }
  return ~crc >>> 0;
}

function iscsiRead(): Uint8Array {
  const bytes = new Uint8Array(48);
  bytes.set([0x01, 0xc0]);
  bytes[16] = 0x14;
  bytes[22] = 0x04;
  bytes[27] = 0x14;
  bytes[31] = 0x18;
  bytes[32] = 0x28;
  bytes[40] = 0x02;
  return bytes;
}
