import { describe, expect, it } from 'vitest';
import { parseBoxes } from './parse-boxes.js';
import { parseNetwork } from './parse-network.js';

describe('parseBoxes', () => {
  it('reads several kinds of boxes', () => {
    const boxes = parseBoxes('2x64GB@40GB/s/16c, 24GiB@31GB/s');
    expect(boxes).toEqual([
      { boxId: 'box-0', memoryBytes: 64e9, memoryBytesPerSecond: 40e9, numCores: 16 },
      { boxId: 'box-1', memoryBytes: 64e9, memoryBytesPerSecond: 40e9, numCores: 16 },
      { boxId: 'box-2', memoryBytes: 24 * 2 ** 30, memoryBytesPerSecond: 31e9, numCores: 8 },
    ]);
  });

  it.each(['', '64GB', '0x64GB@40GB/s', '64GB@0GB/s', '64XB@40GB/s', '64GB@40GB/s,', '2000x1GB@1GB/s'])(
    'refuses %j',
    (text) => {
      expect(parseBoxes(text)).toBeUndefined();
    },
  );
});

describe('parseNetwork', () => {
  it.each([
    ['10Gbit,0.1ms', 1.25e9, 1e-4],
    ['100 Mbit/s, 200us', 12.5e6, 2e-4],
  ])('reads %s', (text, bytesPerSecond, roundTripSeconds) => {
    const network = parseNetwork(text);
    expect(network?.bytesPerSecond).toBeCloseTo(bytesPerSecond, 3);
    expect(network?.roundTripSeconds).toBeCloseTo(roundTripSeconds, 12);
  });

  it.each(['10Gbit', '10GB,1ms', '0Gbit,1ms', '1Gbit,1'])('refuses %j', (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });
});
