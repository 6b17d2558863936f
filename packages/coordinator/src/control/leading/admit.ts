import { type WorkerCommand } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type AuditEntry } from '../change/changes.js';
import { type Admission, type WorkerAdmission } from './worker-admission.js';

export interface Admitting {
  readonly admission: Pick<WorkerAdmission, 'of' | 'set'>;
  readonly onAudit: (entry: AuditEntry) => void;
}

/**
 * Says something of a worker, and keeps who did. Errors as WorkerAdmission.set, which says what `isUntilRestart` is
 * where it is left out.
 */
export async function admit(
  { admission, onAudit }: Admitting,
  { workerId, actor }: Pick<WorkerCommand, 'workerId' | 'actor'>,
  after: Admission,
  { action, outcome, isUntilRestart }: Pick<AuditEntry, 'action' | 'outcome'> & { readonly isUntilRestart?: boolean },
): Promise<void> {
  const before = admission.of(workerId);
  await admission.set(workerId, after, isUntilRestart);
  onAudit({ actor, action, before, after, outcome });
}
