import {
  type Alarm,
  type BalanceView,
  type ExpertStats,
  type HotExpert,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';

export type LoadWindow = 'recent' | 'window' | 'total';

/**
 * How experts are used, over all coordinators. Lives in the main thread; the engine thread counts and hands counts
 * over.
 */
export interface LoadMonitor {
  /** For planning; layers without tokens are there with zeros. */
  loads(window: LoadWindow): ExpertLoads;
  stats(window: LoadWindow, withCoactivations: boolean): ExpertStats;
  /** Of the placement in force, from what its workers were really sent. */
  balance(window: LoadWindow): BalanceView;
  /** Worker id to its share of all (token, expert) pairs, 0 to 1. */
  workerShares(window: LoadWindow): ReadonlyMap<string, number>;
  alarms(): readonly Alarm[];
  hottestExperts(limit: number): readonly HotExpert[];
  /** Rows routed in the last full window, over which alarms and automatic rebalancing decide. */
  readonly tokensInWindow: number;
  /** Called after each full window. */
  onWindow(listener: () => void): () => void;
}
