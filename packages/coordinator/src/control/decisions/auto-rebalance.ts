import { isQuiet, type QuietHours } from '@expertmesh/shared/config/quiet-hours';
import { type BalanceView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type PlacementPrediction } from '@expertmesh/shared/placement/predict-placement';
import { type PlanWish } from '../planning/planner.js';

export interface RebalancePolicy {
  readonly mode: 'off' | 'auto';
  /** Worst-layer balancedness, speeds taken into account, below which a plan is made. */
  readonly threshold: number;
  /** Least relative gain of the predicted step time, or of the mean balancedness, for which experts are moved. */
  readonly minGain: number;
  readonly cooldownMs: number;
  readonly quietHours: QuietHours | undefined;
}

export interface BalanceFacts {
  /** Of the last window. */
  readonly balance: BalanceView | undefined;
  readonly tokensInWindow: number;
  /** --balance-window-tokens: fewer say too little. */
  readonly minTokens: number;
  /** Since the last change of placement ended; Infinity without one. */
  readonly sinceLastMs: number;
  /** Of the local day. */
  readonly minuteOfDay: number;
}

/** Why a plan is due, or undefined: after every window of the monitor. */
export function rebalanceReason(policy: RebalancePolicy, facts: BalanceFacts): string | undefined {
  const { balance } = facts;
  if (policy.mode === 'off' || balance === undefined) return undefined;
  if (facts.tokensInWindow < facts.minTokens || facts.sinceLastMs < policy.cooldownMs) return undefined;
  if (policy.quietHours !== undefined && isQuiet(policy.quietHours, facts.minuteOfDay)) return undefined;
  const worst = Math.min(balance.worstBalancedness, balance.worstWeightedBalancedness || balance.worstBalancedness);
  if (worst >= policy.threshold) return undefined;
  return (
    `the balancedness of layer ${String(balance.worstLayerIndex)} is ${worst.toFixed(2)}, ` +
    `below ${String(policy.threshold)}`
  );
}

/**
 * What a plan gains: the greater of the relative gains of step time and of mean balancedness. All where nothing could
 * be predicted before.
 */
export function gainOf(before: PlacementPrediction | undefined, after: PlacementPrediction): number {
  if (before === undefined) return Infinity;
  const ofStep = before.stepSeconds > 0 ? 1 - after.stepSeconds / before.stepSeconds : 0;
  const ofBalance = after.balancedness.mean / before.balancedness.mean - 1;
  return Math.max(ofStep, ofBalance);
}

/**
 * Whether to move experts by an operator's plan: one who names replicas, failure domains or workers wants these,
 * whatever they gain.
 */
export function isWorthMoving(
  { redundantExperts, survive, workerIds = [] }: PlanWish,
  gain: number,
  minGain: number,
): boolean {
  return gain >= minGain || redundantExperts !== undefined || survive !== undefined || workerIds.length > 0;
}
