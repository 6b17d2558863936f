import { type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';

/** Placements that can be gone back to; older ones are forgotten everywhere. */
export const MAX_HISTORY = 50;

/**
 * What is in force from now on, with the history that has led there.
 *
 * @param before versions that have been in force, in that order
 * @param last the highest version that was ever heard of
 */
export function withHistory(next: PlacementInForce, before: readonly number[], last: number): PlacementInForce {
  const inForce = [...before.filter((version) => version !== next.version), next.version].slice(-MAX_HISTORY);
  return { ...next, history: { inForce, last: Math.max(last, next.version, next.change?.toVersion ?? 0) } };
}

/**
 * Whether a document is of use by what is in force: that of a placement that is, has been, or is coming into force. One
 * that is newer than the record may be about to. Those of changes that were taken back are not.
 */
export function isKept(version: number, inForce: PlacementInForce): boolean {
  return (
    inForce.history === undefined ||
    version === inForce.version ||
    version === inForce.change?.toVersion ||
    version > inForce.history.last ||
    inForce.history.inForce.includes(version)
  );
}
