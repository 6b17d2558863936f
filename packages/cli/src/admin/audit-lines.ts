import { type AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { timeText } from '../terminal/figures.js';
import { tableLines } from '../terminal/text-table.js';

export function auditLines(records: readonly AuditRecord[]): string[] {
  if (records.length === 0) return ['Nothing was changed yet.'];
  const rows = records.map(({ timeMs, actor, action, before, after, outcome }) => [
    timeText(timeMs),
    actor,
    action,
    `${before} -> ${after}`,
    outcome,
  ]);
  return tableLines(
    [{ title: 'TIME' }, { title: 'WHO' }, { title: 'WHAT' }, { title: 'CHANGE' }, { title: 'OUTCOME' }],
    rows,
  );
}
