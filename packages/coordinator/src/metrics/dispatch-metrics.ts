import { Counter, type Registry } from 'prom-client';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';

/** @param stats undefined until the engine has reported. */
export function registerDispatchMetrics(registry: Registry, stats: () => DispatchStats | undefined): void {
  new Counter({
    name: 'expertmesh:dispatch_bytes_total',
    help: 'Bytes of tensors sent to a worker and received from it, since its connection was opened.',
    labelNames: ['worker', 'direction'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker, sentBytes, receivedBytes } of stats()?.workers ?? []) {
        this.inc({ worker, direction: 'sent' }, sentBytes);
        this.inc({ worker, direction: 'received' }, receivedBytes);
      }
    },
  });
  new Counter({
    name: 'expertmesh:dispatch_failovers_total',
    help: 'Calls to a worker that failed for this reason and were computed by another replica, or by this one when asked again.',
    labelNames: ['worker', 'reason'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker, reason, numFailovers } of stats()?.failovers ?? [])
        this.inc({ worker, reason }, numFailovers);
    },
  });
}
