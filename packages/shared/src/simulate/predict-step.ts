import { type Placement } from '../placement/placement.js';
import { seededRandom } from '../random/seeded-random.js';
import { DispatchSimulation } from '../routing-trace/dispatch-simulation.js';
import { type CoordinatorCosts, type WorkerCosts } from './machine-costs.js';
import { type RouteSource } from './route-source.js';
import { sharedCoresSeconds } from './shared-cores.js';
import { type SimulatedNetwork } from './simulated-box.js';
import { type SimulatedModel } from './simulated-model.js';

export interface StepSetting {
  readonly model: SimulatedModel;
  readonly placement: Placement;
  /** In the order of the placement's workers. */
  readonly workers: readonly WorkerCosts[];
  readonly coordinator: CoordinatorCosts;
  /** Absent where there is no wire: rows stay within a box, or within the coordinator. */
  readonly network?: SimulatedNetwork | undefined;
  /** Set where all workers share the cores of one box. */
  readonly sharedCores?: { readonly numCores: number; readonly numThreads: number } | undefined;
  readonly routes: RouteSource;
  readonly batchSize: number;
  /** Of a token's row, one way. */
  readonly rowBytes: number;
}

/** Where the time of a layer goes, in seconds, mean over layers and steps. */
export interface LayerSeconds {
  readonly dense: number;
  /** Of the busiest worker. */
  readonly compute: number;
  readonly overhead: number;
  readonly network: number;
}

export interface StepPrediction {
  readonly layer: LayerSeconds;
  readonly headSeconds: number;
  readonly stepSeconds: number;
  readonly tokensPerSecond: number;
  /** Distinct workers that a token's row is sent to, of each layer. */
  readonly workersPerToken: number;
  /** Rows of all layers, both ways. */
  readonly wireBytesPerToken: number;
}

/** Enough for the means to be within about a percent. */
const NUM_DRAWS = 1000;

/**
 * Predicts a decode step of a batch:
 *
 *     step = layers x (dense + compute of the busiest worker + overhead + round trip + bytes / rate) + head
 *
 * Compute, rows and bytes are means over draws of batches that are dispatched as a coordinator does it. Rows go out
 * before sums come back, so both directions count. Micro-batches and drafts, which overlap and save terms, are left
 * out.
 */
export function predictStep(setting: StepSetting): StepPrediction {
  const { model, coordinator, network, batchSize, rowBytes } = setting;
  const { busiestSeconds, rowsSent, workersReached } = drawnMeans(setting);
  const bytesBothWays = network === undefined ? 0 : 2 * rowsSent * rowBytes;
  const layer: LayerSeconds = {
    dense: coordinator.denseSeconds,
    compute: busiestSeconds,
    overhead: coordinator.dispatchSeconds + coordinator.dispatchWorkerSeconds * workersReached,
    network: network === undefined ? 0 : network.roundTripSeconds + bytesBothWays / network.bytesPerSecond,
  };
  const numLayers = model.layerIndices.length;
  const stepSeconds =
    numLayers * (layer.dense + layer.compute + layer.overhead + layer.network) + coordinator.headSeconds;
  return {
    layer,
    headSeconds: coordinator.headSeconds,
    stepSeconds,
    tokensPerSecond: batchSize / stepSeconds,
    workersPerToken: rowsSent / batchSize,
    wireBytesPerToken: (numLayers * bytesBothWays) / batchSize,
  };
}

/** Means over draws, of one layer. */
function drawnMeans({ model, placement, workers, routes, batchSize, sharedCores }: StepSetting) {
  const random = seededRandom(1);
  const dispatch = new DispatchSimulation(placement, workers, model.layerIndices, model.topK);
  let [busiest, rowsSent, reached] = [0, 0, 0];
  for (let draw = 0; draw < NUM_DRAWS; draw++) {
    const layer = Math.floor(random() * model.layerIndices.length);
    const { tokens, rows, activeExperts } = dispatch.pass(layer, routes.draw(layer, batchSize, random));
    const seconds = workers.map(({ secondsPerCall, secondsPerActiveExpert, secondsPerToken }, w) =>
      (rows[w] ?? 0) === 0
        ? 0
        : secondsPerCall + secondsPerActiveExpert * (activeExperts[w] ?? 0) + secondsPerToken * (tokens[w] ?? 0),
    );
    busiest +=
      sharedCores === undefined
        ? Math.max(...seconds)
        : sharedCoresSeconds(seconds, sharedCores.numCores, sharedCores.numThreads);
    for (const numRows of rows) {
      rowsSent += numRows;
      if (numRows > 0) reached += 1;
    }
  }
  return {
    busiestSeconds: busiest / NUM_DRAWS,
    rowsSent: rowsSent / NUM_DRAWS,
    workersReached: reached / NUM_DRAWS,
  };
}
