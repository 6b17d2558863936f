/** A replica while it is being packed. */
export interface PackedReplica {
  readonly expertId: number;
  readonly weight: number;
}

/**
 * Mends what EPLB leaves: of two replicas of an expert in one pack, one changes places with a replica of another pack,
 * the one that leaves the heavier of both packs lightest. Packs keep their sizes. A replica stays where no pack can
 * take it.
 *
 * @param packs [workers] replicas of one layer
 * @returns [workers]
 */
export function separateReplicas(packs: readonly (readonly PackedReplica[])[]): PackedReplica[][] {
  const mended = packs.map((pack) => [...pack]);
  for (const pack of mended)
    for (const [index, replica] of pack.entries())
      if (indexOfExpert(pack, replica.expertId) < index) exchange(mended, pack, index, replica);
  return mended;
}

export function weightOf(pack: readonly PackedReplica[]): number {
  return pack.reduce((total, { weight }) => total + weight, 0);
}

function exchange(
  packs: readonly PackedReplica[][],
  pack: PackedReplica[],
  index: number,
  replica: PackedReplica,
): void {
  const weight = weightOf(pack);
  let best: { readonly other: PackedReplica[]; readonly at: number; readonly peak: number } | undefined;
  for (const other of packs) {
    if (indexOfExpert(other, replica.expertId) >= 0) continue;
    const otherWeight = weightOf(other);
    for (const [at, candidate] of other.entries()) {
      const difference = replica.weight - candidate.weight;
      const peak = Math.max(weight - difference, otherWeight + difference);
      const isPossible = indexOfExpert(pack, candidate.expertId) < 0;
      if (isPossible && peak < (best?.peak ?? Infinity)) best = { other, at, peak };
    }
  }
  const partner = best?.other[best.at];
  if (best === undefined || partner === undefined) return;
  best.other[best.at] = replica;
  pack[index] = partner;
}

const indexOfExpert = (pack: readonly PackedReplica[], expertId: number): number =>
  pack.findIndex((replica) => replica.expertId === expertId);
