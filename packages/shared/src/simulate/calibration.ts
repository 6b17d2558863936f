import { type CoordinatorCosts, type WorkerCosts } from './machine-costs.js';
import { type StepPrediction } from './predict-step.js';

/** Seconds as a running cluster measured them, mean over its layers and steps. */
export interface MeasuredStep {
  /** Of a layer. */
  readonly dense: number;
  /** Of a layer, while any worker computes. */
  readonly compute: number;
  /** Everything else of a layer. */
  readonly overhead: number;
  /** Of a whole step. */
  readonly stepSeconds: number;
}

/** Measured over estimated, part by part: what the estimates are multiplied by on machines of the same kind. */
export interface CostScale {
  readonly dense: number;
  readonly compute: number;
  readonly overhead: number;
  readonly head: number;
}

export const UNSCALED: CostScale = { dense: 1, compute: 1, overhead: 1, head: 1 };

/** @param estimated of the very cluster that was measured, without a scale. */
export function calibrate(measured: MeasuredStep, estimated: StepPrediction, numLayers: number): CostScale {
  const layers = numLayers * (measured.dense + measured.compute + measured.overhead);
  const headSeconds = Math.max(0, measured.stepSeconds - layers);
  return {
    dense: measured.dense / estimated.layer.dense,
    compute: measured.compute / estimated.layer.compute,
    overhead: measured.overhead / (estimated.layer.overhead + estimated.layer.network),
    head: headSeconds / estimated.headSeconds,
  };
}

export const scaled = {
  worker: (costs: WorkerCosts, { compute }: CostScale): WorkerCosts => ({
    secondsPerCall: compute * costs.secondsPerCall,
    secondsPerActiveExpert: compute * costs.secondsPerActiveExpert,
    secondsPerToken: compute * costs.secondsPerToken,
  }),
  coordinator: (costs: CoordinatorCosts, { dense, overhead, head }: CostScale): CoordinatorCosts => ({
    denseSeconds: dense * costs.denseSeconds,
    dispatchSeconds: overhead * costs.dispatchSeconds,
    dispatchWorkerSeconds: overhead * costs.dispatchWorkerSeconds,
    headSeconds: head * costs.headSeconds,
  }),
} as const;
