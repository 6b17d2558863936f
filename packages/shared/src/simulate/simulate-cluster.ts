import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type PlanCluster } from '../placement/plan-cluster.js';
import { contiguousPlacement, LOCAL_MEMBER, type Placement } from '../placement/placement.js';
import { planPlacement, type PlacementPlan, type PlacementPolicy } from '../placement/plan-placement.js';
import { type LayersBalancedness } from '../placement/balance-measures.js';
import { UNSCALED, scaled, type CostScale } from './calibration.js';
import { coordinatorCosts, workerCosts, type CoordinatorCosts, type WorkerCosts } from './machine-costs.js';
import { predictStep, type StepPrediction } from './predict-step.js';
import { type RouteSource } from './route-source.js';
import { USABLE_MEMORY, type SimulatedBox, type SimulatedNetwork } from './simulated-box.js';
import { type SimulatedModel } from './simulated-model.js';

export interface SimulationOptions {
  readonly model: SimulatedModel;
  /** A worker on each; the first one has the coordinator too. */
  readonly boxes: readonly SimulatedBox[];
  readonly network: SimulatedNetwork;
  /** So many workers on the first box, which share its cores, instead of one on each box. No network lies between. */
  readonly sameBoxWorkers?: number | undefined;
  readonly routes: RouteSource;
  readonly batchSize: number;
  readonly rowBytes: number;
  readonly policy: PlacementPolicy;
  readonly redundantExperts: number;
  readonly survive: number;
  /** Measured over estimated, for machines like one that was measured. */
  readonly scale?: CostScale;
}

export interface Simulation {
  readonly step: StepPrediction;
  /** Of routed tokens over workers. */
  readonly balancedness: LayersBalancedness;
  /** The fastest of the boxes alone, computing its experts itself; undefined where the model fits none of them. */
  readonly oneBox: { readonly boxId: string; readonly step: StepPrediction } | undefined;
  readonly placement: Placement;
}

/**
 * Plans a placement for a cluster that does not exist and predicts how it decodes.
 *
 * @throws ExpertmeshError `resource_exhausted` where the model does not fit, with what is missing; otherwise as
 * planning does.
 */
export function simulateCluster(options: SimulationOptions): Simulation {
  const { boxes, model, sameBoxWorkers, scale = UNSCALED } = options;
  const [first] = boxes;
  if (first === undefined) throw new ExpertmeshError('invalid_argument', 'there are no boxes: name at least one');
  requireCoordinatorFits(model, first);
  const workerBoxes = sameBoxWorkers === undefined ? boxes : slicesOf(first, sameBoxWorkers);
  const costs = workerBoxes.map((box) => scaled.worker(workerCosts(model, box), scale));
  const plan = planFor(options, workerBoxes, costs);
  const coordinator = coordinatorOf(options, first);
  const step = predictStep({
    ...options,
    placement: plan.placement,
    workers: costs,
    coordinator,
    network: sameBoxWorkers === undefined ? options.network : undefined,
    sharedCores: sharedCoresOf(first, sameBoxWorkers),
  });
  return { step, balancedness: plan.prediction.balancedness, oneBox: fastestAlone(options), placement: plan.placement };
}

function planFor(
  options: SimulationOptions,
  boxes: readonly SimulatedBox[],
  costs: readonly WorkerCosts[],
): PlacementPlan {
  const { model, policy, redundantExperts, survive, routes, sameBoxWorkers } = options;
  const cluster: PlanCluster = {
    workers: boxes.map((box, index) => ({
      workerId: box.boxId,
      memoryBudgetBytes: expertBudgetBytes(model, box, index === 0 && sameBoxWorkers === undefined),
      secondsPerActiveExpert: costs[index]?.secondsPerActiveExpert ?? 0,
      secondsPerToken: costs[index]?.secondsPerToken ?? 0,
      failureDomain: box.boxId,
      state: 'accepting',
    })),
    expertSizeBytes: model.expertMemoryBytes,
    secondsPerRow: 0,
  };
  return planPlacement(policy, cluster, routes.loads, { redundantExperts, survive });
}

const coordinatorOf = (
  { model, batchSize, scale = UNSCALED }: SimulationOptions,
  box: SimulatedBox,
): CoordinatorCosts => scaled.coordinator(coordinatorCosts(model, box, batchSize), scale);

// Workers of one box divide its memory; what the coordinator needs goes off first.
function slicesOf(box: SimulatedBox, numWorkers: number): SimulatedBox[] {
  return Array.from({ length: numWorkers }, (_, index) => ({
    ...box,
    boxId: `${box.boxId}-worker-${String(index)}`,
    memoryBytes: box.memoryBytes / numWorkers,
  }));
}

const sharedCoresOf = ({ numCores }: SimulatedBox, numWorkers: number | undefined) =>
  numWorkers === undefined ? undefined : { numCores, numThreads: Math.max(1, Math.floor(numCores / numWorkers)) };

/** What is left for experts, beside the coordinator where that is on the same box. */
const expertBudgetBytes = (model: SimulatedModel, box: SimulatedBox, hasCoordinator: boolean): number =>
  Math.max(0, USABLE_MEMORY * box.memoryBytes - (hasCoordinator ? model.coordinatorMemoryBytes : 0));

function requireCoordinatorFits(model: SimulatedModel, box: SimulatedBox): void {
  const usable = USABLE_MEMORY * box.memoryBytes;
  if (model.coordinatorMemoryBytes <= usable) return;
  throw new ExpertmeshError(
    'resource_exhausted',
    `the dense part needs ${gigabytes(model.coordinatorMemoryBytes)}, ` +
      `and of the ${gigabytes(box.memoryBytes)} of ${box.boxId}, the coordinator's, ` +
      `${gigabytes(usable)} are for weights: name a larger box first`,
  );
}

const gigabytes = (sizeBytes: number): string => `${(sizeBytes / 1e9).toFixed(1)} GB`;

function fastestAlone(options: SimulationOptions): Simulation['oneBox'] {
  const alone = options.boxes.flatMap((box) => {
    const step = stepAlone(options, box);
    return step === undefined ? [] : [{ boxId: box.boxId, step }];
  });
  return alone.sort((a, b) => a.step.stepSeconds - b.step.stepSeconds)[0];
}

function stepAlone(options: SimulationOptions, box: SimulatedBox): StepPrediction | undefined {
  const { model, scale = UNSCALED } = options;
  const { layerIndices, numExperts, expertMemoryBytes } = model;
  if (layerIndices.length * numExperts * expertMemoryBytes > expertBudgetBytes(model, box, true)) return undefined;
  const coordinator = coordinatorOf(options, box);
  return predictStep({
    ...options,
    network: undefined,
    placement: contiguousPlacement(1, layerIndices, numExperts, [LOCAL_MEMBER]),
    workers: [{ ...scaled.worker(workerCosts(model, box), scale), secondsPerCall: 0 }],
    // Nothing is sent: what is left between dense and experts is next to nothing.
    coordinator: { ...coordinator, dispatchSeconds: 0, dispatchWorkerSeconds: 0 },
  });
}
