import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { type WorkerMoves } from '@expertmesh/shared/placement/placement-diff';
import { type PlacementPlan } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Style } from '../terminal/style.js';
import { tableLines } from '../terminal/text-table.js';
import { balanceChangeLines } from './balance-text.js';

/** What a plan promises and what it takes. */
export function planLines(plan: PlacementPlan, style: Style): string[] {
  const { placement, baseVersion, observedTokens, numLoads, numDrops, bytesToMove } = plan;
  const versions = `from placement ${String(baseVersion)} to ${String(placement?.version ?? '')}`;
  const title = `${placement?.policy ?? ''} plan ${versions}`;
  const loads =
    observedTokens === 0
      ? 'no tokens were counted yet: routing is taken to be uniform'
      : `loads of ${String(observedTokens)} tokens`;
  return [
    `${style.bold(title)}, ${loads}`,
    '',
    ...balanceChangeLines(plan.before, plan.after),
    '',
    `${formatBytes(bytesToMove)} to load: ${String(numLoads)} replicas come, ${String(numDrops)} go`,
    ...moveLines(plan.moves),
    ...plan.remarks.map((remark) => style.warn(`note: ${remark}`)),
  ];
}

/** By worker: how many replicas come and go, in how many layers. */
export function moveLines(moves: readonly WorkerMoves[]): string[] {
  if (moves.length === 0) return ['Nothing moves.'];
  const workerIds = [...new Set(moves.map(({ workerId }) => workerId))];
  const rows = workerIds.map((workerId) => {
    const ofWorker = moves.filter((move) => move.workerId === workerId);
    const sum = (count: (move: WorkerMoves) => number): string =>
      String(ofWorker.reduce((total, move) => total + count(move), 0));
    return [workerId, sum(({ load }) => load.length), sum(({ drop }) => drop.length), String(ofWorker.length)];
  });
  return tableLines(
    [
      { title: 'WORKER' },
      { title: 'LOADS', align: 'right' },
      { title: 'DROPS', align: 'right' },
      { title: 'LAYERS', align: 'right' },
    ],
    rows,
  );
}
