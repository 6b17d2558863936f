import { type SimulatedModel } from './simulated-model.js';
import { type SimulatedBox } from './simulated-box.js';

/**
 * What things cost on a box of which only memory rate and cores are known. The constants are from docs/performance.md:
 * native kernels, 4-bit weights in blocks of 128, one box of 2 cores. A calibration puts measured figures in their
 * place.
 */

/** Of the rate at which memory can be read, what reading experts and the dense part reaches. */
const EXPERT_READ_EFFICIENCY = 0.67;
const DENSE_READ_EFFICIENCY = 0.5;
const HEAD_READ_EFFICIENCY = 0.75;
/** Of quantised matrices, when enough rows share the weights that reading them no longer counts. */
const FLOPS_PER_CORE = 120e9;
/** Taking a call, waking threads and answering, however small it is. */
const CALL_SECONDS = 40e-6;
/** Norms, attention over a short context and router, beyond their weights. */
const DENSE_LAYER_SECONDS = 60e-6;
/** Sampling, detokenising and the way to the client. */
const STEP_SECONDS = 0.5e-3;
/** Of a dispatch: grouping and adding up, and for each worker its message and its answer. */
const DISPATCH_SECONDS = 100e-6;
const DISPATCH_WORKER_SECONDS = 100e-6;

/** What an expert costs a worker that has all cores of a box. */
export interface WorkerCosts {
  readonly secondsPerCall: number;
  readonly secondsPerActiveExpert: number;
  readonly secondsPerToken: number;
}

/** What the coordinator spends, beside waiting for workers. */
export interface CoordinatorCosts {
  /** Of a layer, for the whole batch. */
  readonly denseSeconds: number;
  readonly dispatchSeconds: number;
  readonly dispatchWorkerSeconds: number;
  /** Of a step. */
  readonly headSeconds: number;
}

export function workerCosts(model: SimulatedModel, box: SimulatedBox): WorkerCosts {
  return {
    secondsPerCall: CALL_SECONDS,
    secondsPerActiveExpert: model.expertBytes / (EXPERT_READ_EFFICIENCY * box.memoryBytesPerSecond),
    secondsPerToken: model.expertFlopsPerToken / (FLOPS_PER_CORE * box.numCores),
  };
}

export function coordinatorCosts(model: SimulatedModel, box: SimulatedBox, batchSize: number): CoordinatorCosts {
  const numLayers = Math.max(1, model.layerIndices.length);
  const readSeconds = model.denseBytes / (DENSE_READ_EFFICIENCY * box.memoryBytesPerSecond);
  const computeSeconds = (batchSize * model.denseFlopsPerToken) / (FLOPS_PER_CORE * box.numCores);
  return {
    denseSeconds: DENSE_LAYER_SECONDS + (readSeconds + computeSeconds) / numLayers,
    dispatchSeconds: DISPATCH_SECONDS,
    dispatchWorkerSeconds: DISPATCH_WORKER_SECONDS,
    headSeconds: STEP_SECONDS + model.headBytes / (HEAD_READ_EFFICIENCY * box.memoryBytesPerSecond),
  };
}
