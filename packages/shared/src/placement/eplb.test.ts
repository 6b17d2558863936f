import { describe, expect, it } from 'vitest';
import { packHeaviestFirst, rebalanceExperts, replicateExperts } from './eplb.js';

// What EPLB itself answers is compared in test/golden/eplb.

describe('rebalanceExperts', () => {
  it.each([
    [[16, 1, 1, 5], 'physical experts by workers divisible without remainder: 16 by 5'],
    [[8, 5, 5, 4], 'logical experts by groups divisible without remainder: 12 by 5'],
    [[16, 4, 2, 3], 'workers by nodes divisible without remainder: 3 by 2'],
    [[8, 1, 1, 4], '8 physical experts are too few for 12'],
  ] as const)('refuses sizes %j', ([numPhysical, numGroups, numNodes, numWorkers], message) => {
    const loads = [new Array<number>(12).fill(1)];
    expect(() => rebalanceExperts(loads, numPhysical, numGroups, numNodes, numWorkers)).toThrow(message.split(': ')[0]);
  });
});

describe('replicateExperts', () => {
  it('gives the next replica to whichever has most load per replica, after the least number for all', () => {
    expect(replicateExperts(Float32Array.of(8, 3, 1), 6).counts).toEqual([3, 2, 1]);
    expect(replicateExperts(Float32Array.of(8, 3, 1), 7, 2).counts).toEqual([3, 2, 2]);
  });
});

describe('packHeaviestFirst', () => {
  it('fills packs of different room, the lightest first', () => {
    expect(packHeaviestFirst(Float32Array.of(5, 4, 3, 2, 1), [1, 4])).toEqual([[0], [1, 2, 3, 4]]);
  });
});
