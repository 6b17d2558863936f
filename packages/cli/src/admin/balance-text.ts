import { type BalanceView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { milliseconds, ratio } from '../terminal/figures.js';
import { tableLines } from '../terminal/text-table.js';

export function balanceText(balance: BalanceView): string {
  return (
    `balancedness ${ratio(balance.meanBalancedness)} mean, ${ratio(balance.worstBalancedness)} worst (layer ` +
    `${String(balance.worstLayerIndex)}); ` +
    `${balance.workersPerToken.toFixed(2)} workers a token`
  );
}

/** What changes between two placements, figure by figure. */
export function balanceChangeLines(before: BalanceView | undefined, after: BalanceView | undefined): string[] {
  const row = (title: string, text: (balance: BalanceView) => string): string[] => [
    title,
    before === undefined ? '-' : text(before),
    after === undefined ? '-' : text(after),
  ];
  return tableLines(
    [{ title: '' }, { title: 'NOW', align: 'right' }, { title: 'PLANNED', align: 'right' }],
    [
      row('balancedness, mean over layers', (balance) => ratio(balance.meanBalancedness)),
      row('balancedness, worst layer', (balance) => ratio(balance.worstBalancedness)),
      row('weighted by speed, mean', (balance) => ratio(balance.meanWeightedBalancedness)),
      row('weighted by speed, worst', (balance) => ratio(balance.worstWeightedBalancedness)),
      row('experts of a step', (balance) => milliseconds(1000 * balance.stepSeconds)),
      row('workers a token', (balance) => balance.workersPerToken.toFixed(2)),
    ],
  );
}
