import { Counter, Gauge, type Registry } from 'prom-client';
import { type ExpertLoadMonitor } from './expert-load-monitor.js';

export type BalanceSource = Pick<ExpertLoadMonitor, 'balance' | 'localTokens'>;

/** Few series, whatever the model: the matrix of layers and experts is JSON, see the admin routes. */
export function registerBalanceMetrics(registry: Registry, monitor: BalanceSource, numMoves: () => number): void {
  new Gauge({
    name: 'expertmesh:expert_balancedness',
    help:
      'Mean over largest worker load of a layer in the last window, over all coordinators: ' +
      'mean over layers, and the worst layer. 1 is perfect.',
    labelNames: ['stat'],
    registers: [registry],
    collect() {
      const { meanBalancedness, worstBalancedness } = monitor.balance('window');
      this.set({ stat: 'mean' }, meanBalancedness);
      this.set({ stat: 'worst' }, worstBalancedness);
    },
  });
  new Counter({
    name: 'expertmesh:rebalance_moves_total',
    help:
      'Replicas of experts that were loaded elsewhere while requests ran, ' +
      'in changes of placement that this coordinator led.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(numMoves());
    },
  });
  new Counter({
    name: 'expertmesh:worker_expert_tokens_total',
    help: 'Pairs of token and expert that this coordinator has sent to a worker.',
    labelNames: ['worker'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [worker, tokens] of monitor.localTokens) this.inc({ worker }, tokens);
    },
  });
}
