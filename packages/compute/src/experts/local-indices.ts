/** By logical expert: its position among `expertIds`, or -1. */
export function localIndices(expertIds: readonly number[], numExperts: number): Int32Array {
  const indices = new Int32Array(numExperts).fill(-1);
  for (const [localIndex, expertId] of expertIds.entries()) indices[expertId] = localIndex;
  return indices;
}

/** The experts of a call that are not held, each once. Ids are those of the model. */
export function missingExperts(expertIds: Iterable<number>, localIndices: Int32Array): number[] {
  const missing = new Set<number>();
  for (const expertId of expertIds) if ((localIndices[expertId] ?? -1) < 0) missing.add(expertId);
  return [...missing];
}
