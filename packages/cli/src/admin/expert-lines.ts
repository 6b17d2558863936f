import { type Alarm, type ExpertStats, type HotExpert } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { percent, ratio, timeText } from '../terminal/figures.js';
import { type Style } from '../terminal/style.js';
import { tableLines } from '../terminal/text-table.js';
import { balanceText } from './balance-text.js';

/** Times the mean at which an expert is as hot as it gets. */
const HOTTEST_TIMES_MEAN = 4;

export function expertStatsLines(stats: ExpertStats, style: Style): string[] {
  const { window, numTokens, numSteps, numExperts, topK, layers, balance, drift, loadBalancingLoss } = stats;
  const title =
    `${style.bold(`experts, ${window}`)}: ${String(numTokens)} rows in ${String(numSteps)} steps, ` +
    `${String(topK)} of ${String(numExperts)} experts each`;
  if (numTokens === 0) return [title, 'No tokens were counted yet: send requests first.'];
  return [
    title,
    ...(balance === undefined ? [] : [balanceText(balance)]),
    `${String(stats.numDeadExperts)} experts without a token; drift ${ratio(drift)}; ` +
      `load-balancing loss ${ratio(loadBalancingLoss)}`,
    ...alarmLines(stats.alarms, style),
    '',
    ...hotExpertLines(stats.hottestExperts, style),
    '',
    ...tableLines(
      [
        { title: 'LAYER', align: 'right' },
        { title: 'BALANCE', align: 'right' },
        { title: 'GINI', align: 'right' },
        { title: 'LOSS', align: 'right' },
        { title: 'UNUSED', align: 'right' },
      ],
      layers.map(({ layerIndex, tokens, balancedness, gini, loadBalancingLoss: loss }) => [
        String(layerIndex),
        style.heat(1 - balancedness, ratio(balancedness)),
        ratio(gini),
        ratio(loss),
        String(tokens.filter((count) => count === 0).length),
      ]),
    ),
  ];
}

export function alarmLines(alarms: readonly Alarm[], style: Style): string[] {
  return alarms.map(({ name, message, sinceMs }) => style.warn(`alarm ${name} since ${timeText(sinceMs)}: ${message}`));
}

export function hotExpertLines(experts: readonly HotExpert[], style: Style): string[] {
  return tableLines(
    [
      { title: 'HOTTEST' },
      { title: 'SHARE', align: 'right' },
      { title: 'TIMES MEAN', align: 'right' },
      { title: 'WORKERS' },
    ],
    experts.map(({ layerIndex, expertId, share, timesMean, workerIds }) => [
      `layer ${String(layerIndex)}, expert ${String(expertId)}`,
      percent(share),
      style.heat(timesMean / HOTTEST_TIMES_MEAN, timesMean.toFixed(2)),
      workerIds.join(', '),
    ]),
  );
}
