import { calibrate, type CostScale } from '@expertmesh/shared/simulate/calibration';
import { simulateCluster, type SimulationOptions } from '@expertmesh/shared/simulate/simulate-cluster';
import { measureStep } from './measure-step.js';

/** The cluster that runs at `url` is simulated as it is, and what that misses by is what the figures are scaled by. */
export async function measuredScale(url: string, options: SimulationOptions, signal: AbortSignal): Promise<CostScale> {
  const { step, numWorkers } = await measureStep(url, options.batchSize, signal);
  const itself = simulateCluster({
    ...options,
    sameBoxWorkers: numWorkers,
    policy: 'contiguous',
    redundantExperts: 0,
    survive: 0,
  });
  return calibrate(step, itself.step, options.model.layerIndices.length);
}
