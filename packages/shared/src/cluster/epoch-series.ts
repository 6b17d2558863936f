/** Series of epochs that there are; one process has the epochs of one of them. */
export const NUM_SERIES = 1_000_000;

/**
 * The lowest epoch above `known` that a process may lead under. Every process has a series of its own, the last six
 * digits of its epochs: so two processes never lead under the same epoch, also where the control plane has lost its
 * store and one of them has not heard of the other's.
 *
 * @param bootId of the process
 */
export function nextEpoch(known: number, bootId: string): number {
  const series = seriesOf(bootId);
  const generation = Math.floor(known / NUM_SERIES);
  const first = generation * NUM_SERIES + series;
  return first > known ? first : first + NUM_SERIES;
}

/** 1 to NUM_SERIES - 1: FNV-1a of the id, which is random. */
function seriesOf(bootId: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(bootId)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return 1 + (hash % (NUM_SERIES - 1));
}
