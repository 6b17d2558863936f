import { type BalanceSource, registerBalanceMetrics } from '../balance/balance-metrics.js';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { type EngineStats } from '../engine/engine-client.js';
import { registerDispatchMetrics } from './dispatch-metrics.js';
import { ServiceMetrics } from './service-metrics.js';
import { type HeardWorker, registerWorkerMetrics } from './worker-metrics.js';

export interface MetricSources {
  readonly engineStats: () => EngineStats;
  /** undefined until the engine has reported. */
  readonly dispatchStats: () => DispatchStats | undefined;
  /** Those that are up. */
  readonly workers: () => readonly HeardWorker[];
  readonly monitor: BalanceSource;
  readonly numMoves: () => number;
}

/** All that GET /metrics shows; docs/api.md lists it. */
export function coordinatorMetrics(sources: MetricSources): ServiceMetrics {
  const { engineStats, dispatchStats, workers, monitor, numMoves } = sources;
  const metrics = new ServiceMetrics(engineStats);
  registerDispatchMetrics(metrics.registry, dispatchStats);
  registerWorkerMetrics(metrics.registry, workers);
  registerBalanceMetrics(metrics.registry, monitor, numMoves);
  return metrics;
}
