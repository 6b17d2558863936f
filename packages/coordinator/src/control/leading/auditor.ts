import { AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type AuditEntry } from '../change/changes.js';
import { type PlacementStore } from '../placement/placement-store.js';

/** Records what was done; a control plane that is away does not keep anybody from doing it. */
export function auditor(store: PlacementStore, logger: Logger) {
  return (entry: AuditEntry): void => {
    logger.info({ audit: entry }, 'audit');
    store.addAudit(AuditRecord.create({ ...entry, timeMs: Date.now() })).catch((error: unknown) => {
      logger.warn({ err: error }, 'an audit record is on this machine alone: the control plane did not take it');
    });
  };
}
