import { type PlacementView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { timeText } from '../terminal/figures.js';
import { type Style } from '../terminal/style.js';
import { tableLines } from '../terminal/text-table.js';

/** The one in force has an asterisk. */
export function historyLines(placements: readonly PlacementView[], inForce: number, style: Style): string[] {
  if (placements.length === 0) return ['There is no placement yet.'];
  const rows = placements.map(({ version, policy, createdMs, actor, reason }) => [
    version === inForce ? style.bold(`${String(version)} *`) : `${String(version)}  `,
    policy,
    timeText(createdMs),
    actor,
    reason,
  ]);
  return tableLines(
    [
      { title: 'VERSION', align: 'right' },
      { title: 'POLICY' },
      { title: 'TIME' },
      { title: 'BY' },
      { title: 'REASON' },
    ],
    rows,
  );
}
