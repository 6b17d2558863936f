import { describe, expect, it } from 'vitest';
import { separateReplicas, type PackedReplica } from './separate-replicas.js';

const replica = (expertId: number, weight: number): PackedReplica => ({ expertId, weight });

const expertsOf = (packs: readonly (readonly PackedReplica[])[]): number[][] =>
  packs.map((pack) => pack.map(({ expertId }) => expertId));

describe('separateReplicas', () => {
  it('exchanges the second replica of an expert for one of another pack, as alike as can be', () => {
    const packs = [
      [replica(0, 5), replica(0, 5)],
      [replica(1, 6), replica(2, 4)],
      [replica(0, 5), replica(3, 5)],
    ];
    expect(expertsOf(separateReplicas(packs))).toEqual([
      [0, 1],
      [0, 2],
      [0, 3],
    ]);
  });

  it('leaves packs as they are where no expert is twice in one, and where no pack can take it', () => {
    const apart = [[replica(0, 1), replica(1, 1)], [replica(2, 5)]];
    expect(separateReplicas(apart)).toEqual(apart);
    const stuck = [
      [replica(0, 5), replica(0, 5)],
      [replica(0, 5), replica(1, 1)],
    ];
    expect(separateReplicas(stuck)).toEqual(stuck);
  });
});
