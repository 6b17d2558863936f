import { workerJson } from '@expertmesh/shared/admin/admin-json';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { type WorkerView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { milliseconds, percent, UNKNOWN } from '../terminal/figures.js';
import { type Style } from '../terminal/style.js';
import { tableLines } from '../terminal/text-table.js';

export function workerLines(workers: readonly WorkerView[], style: Style): string[] {
  if (workers.length === 0) return ['No worker is known yet: start one with "expertmesh worker".'];
  const rows = workers.map((worker) => [
    worker.workerId,
    stateText(worker, style),
    worker.failureDomain,
    memoryText(worker),
    String(worker.numReplicas),
    percent(worker.tokenShare),
    percent(worker.utilisation),
    milliseconds(worker.meanRoundTripMs),
    damagedText(worker, style),
    worker.reason,
  ]);
  return tableLines(
    [
      { title: 'WORKER' },
      { title: 'STATE' },
      { title: 'DOMAIN' },
      { title: 'MEMORY' },
      { title: 'REPLICAS', align: 'right' },
      { title: 'TOKENS', align: 'right' },
      { title: 'BUSY', align: 'right' },
      { title: 'ROUND TRIP', align: 'right' },
      { title: 'DAMAGED', align: 'right' },
      { title: 'REASON' },
    ],
    rows,
  );
}

/** `up`, or `away, cordoned`, or `up, quarantined`. */
export function stateText(worker: WorkerView, style: Style): string {
  const { availability, admission, quarantined } = workerJson(worker);
  const words = [availability, ...(admission === 'accepting' ? [] : [admission])];
  const text = [...words, ...(quarantined ? ['quarantined'] : [])].join(', ');
  return text === 'up' ? text : style.warn(text);
}

/** Experts that were found damaged since the worker's start. */
const damagedText = ({ numDamagedExperts }: WorkerView, style: Style): string =>
  numDamagedExperts === 0 ? '0' : style.warn(String(numDamagedExperts));

const memoryText = ({ memoryUsedBytes, memoryBudgetBytes }: WorkerView): string =>
  `${formatBytes(memoryUsedBytes)} of ${formatBytes(memoryBudgetBytes)}`;

export function workerDetailLines(worker: WorkerView, style: Style): string[] {
  const entries: readonly (readonly [string, string])[] = [
    ['state', stateText(worker, style)],
    ['reason', worker.reason === '' ? UNKNOWN : worker.reason],
    ['control address', worker.controlAddress],
    ['data address', worker.dataAddress],
    ['boot id', worker.bootId],
    ['failure domain', worker.failureDomain],
    ['computes with', `${worker.provider}, ${String(worker.numCores)} cores`],
    ['memory for experts', memoryText(worker)],
    [
      'memory is read at',
      worker.memoryBytesPerSecond === 0 ? UNKNOWN : `${formatBytes(worker.memoryBytesPerSecond)}/s`,
    ],
    ['replicas', String(worker.numReplicas)],
    ['an active expert takes', milliseconds(1000 * worker.secondsPerActiveExpert)],
    ['a routed token takes', milliseconds(1000 * worker.secondsPerToken)],
    ['share of routed tokens', percent(worker.tokenShare)],
    ['busy', percent(worker.utilisation)],
    ['round trip', milliseconds(worker.meanRoundTripMs)],
    ['failed calls', String(worker.numFailedCalls)],
    ['damaged in memory', damageText(worker, style)],
    ['commanded under epoch', String(worker.epoch)],
  ];
  return [style.bold(worker.workerId), ...entries.map(([name, value]) => `  ${`${name}:`.padEnd(24)} ${value}`)];
}

function damageText(worker: WorkerView, style: Style): string {
  const { numDamagedExperts, numWithdrawnExperts, lastDamage } = worker;
  if (numDamagedExperts === 0) return 'no expert since its start';
  const counts = `${String(numDamagedExperts)} since its start, ${String(numWithdrawnExperts)} not served again yet`;
  return style.warn(`${counts}; the last: ${lastDamage}`);
}
