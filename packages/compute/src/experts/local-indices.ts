/** By logical expert: its position among `expertIds`, or -1. */
export function localIndices(expertIds: readonly number[], numExperts: number): Int32Array {
  const indices = new Int32Array(numExperts).fill(-1);
  for (const [localIndex, expertId] of expertIds.entries()) indices[expertId] = localIndex;
  return indices;
}
