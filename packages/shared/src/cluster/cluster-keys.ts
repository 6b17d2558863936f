/** Keys of the workers bucket: every process that is a member of the cluster keeps one, with its heartbeat. */
export const WORKER_KEY_PREFIX = 'worker/';
export const COORDINATOR_KEY_PREFIX = 'coordinator/';

/** The one key of the leader bucket. */
export const LEADER_KEY = 'leader';

/** Keys of the placement bucket. */
export const IN_FORCE_KEY = 'inForce';
export const ADMISSIONS_KEY = 'admissions';
export const DOCUMENT_KEY_PREFIX = 'document/';
export const AUDIT_KEY_PREFIX = 'audit/';

export function workerKey(workerId: string): string {
  return WORKER_KEY_PREFIX + workerId;
}
export function coordinatorKey(coordinatorId: string): string {
  return COORDINATOR_KEY_PREFIX + coordinatorId;
}
export function documentKey(version: number): string {
  return DOCUMENT_KEY_PREFIX + String(version);
}
