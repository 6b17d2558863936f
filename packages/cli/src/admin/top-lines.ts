import { progressJson } from '@expertmesh/shared/admin/admin-json';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { WorkerAvailability, type ChangeProgress, type ClusterView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { percent, rate, ratio, timeText } from '../terminal/figures.js';
import { type Style } from '../terminal/style.js';
import { tableLines } from '../terminal/text-table.js';
import { balanceText } from './balance-text.js';
import { alarmLines, hotExpertLines } from './expert-lines.js';
import { workerLines } from './worker-lines.js';

/** The cluster on one screen. */
export function topLines(view: ClusterView, style: Style): string[] {
  return [
    style.bold(`${view.cluster} at ${timeText(view.timeMs)}`) +
      `, placement ${String(view.placementVersion)}, ${leaderText(view)}, control plane ${view.controlPlane}`,
    totalsText(view),
    ...(view.balance === undefined ? [] : [balanceText(view.balance)]),
    ...(view.change === undefined ? [] : [style.warn(changeText(view.change))]),
    ...alarmLines(view.alarms, style),
    '',
    ...workerLines(view.workers, style),
    '',
    ...coordinatorLines(view, style),
    ...(view.hottestExperts.length === 0 ? [] : ['', ...hotExpertLines(view.hottestExperts, style)]),
  ];
}

/** The same in one line, for logs. */
export function topLine(view: ClusterView): string {
  const numUp = view.workers.filter(({ availability }) => availability === UP).length;
  const parts = [
    timeText(view.timeMs),
    `${String(numUp)} of ${String(view.workers.length)} workers up`,
    totalsText(view),
    `placement ${String(view.placementVersion)}`,
    view.balance === undefined ? '' : `balancedness ${ratio(view.balance.meanBalancedness)}`,
    view.change === undefined ? '' : changeText(view.change),
    ...view.alarms.map(({ name }) => `alarm ${name}`),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

const UP = WorkerAvailability.WORKER_AVAILABILITY_UP;

const leaderText = ({ leaderId, epoch }: ClusterView): string =>
  leaderId === '' ? 'nobody leads' : `${leaderId} leads (epoch ${String(epoch)})`;

function totalsText({ coordinators }: ClusterView): string {
  const sum = (of: (coordinator: ClusterView['coordinators'][number]) => number): number =>
    coordinators.filter(({ isAlive }) => isAlive).reduce((total, coordinator) => total + of(coordinator), 0);
  return (
    `${rate(sum((coordinator) => coordinator.generationTokensPerSecond))} tok/s generated, ` +
    `${rate(sum((coordinator) => coordinator.promptTokensPerSecond))} of prompts, ` +
    (`${String(sum((coordinator) => coordinator.numRunning))} running, ` +
      `${String(sum((coordinator) => coordinator.numWaiting))} waiting`)
  );
}

function changeText(progress: ChangeProgress): string {
  const { toVersion, layersDone, layersTotal, bytesDone, bytesTotal, message } = progress;
  return (
    `${progressJson(progress).state}: change to placement ${String(toVersion)}, ` +
    `${String(layersDone)} of ${String(layersTotal)} layers, ` +
    `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}${message === '' ? '' : `, ${message}`}`
  );
}

const coordinatorLines = ({ coordinators }: ClusterView, style: Style): string[] =>
  tableLines(
    [
      { title: 'COORDINATOR' },
      { title: 'STATE' },
      { title: 'TOK/S', align: 'right' },
      { title: 'RUNNING', align: 'right' },
      { title: 'WAITING', align: 'right' },
      { title: 'KV CACHE', align: 'right' },
      { title: 'PLACEMENT', align: 'right' },
    ],
    coordinators.map((coordinator) => [
      coordinator.coordinatorId,
      coordinator.isAlive ? (coordinator.isLeader ? 'leads' : 'up') : style.warn('away'),
      rate(coordinator.generationTokensPerSecond),
      String(coordinator.numRunning),
      String(coordinator.numWaiting),
      percent(coordinator.kvCacheUsage),
      String(coordinator.placementVersion),
    ]),
  );
