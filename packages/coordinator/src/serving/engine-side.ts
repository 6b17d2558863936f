import { systemClock } from '@expertmesh/shared/rpc/clock';
import { type EngineSide } from '../control/engine-side.js';
import { type ThreadedEngine } from './engine-thread/threaded-engine.js';
import { EngineLoad } from './engine-load.js';
import { RowCost } from './row-cost.js';

/** @param rowBytes of a row on its way to a worker */
export function engineSide(engine: ThreadedEngine, rowBytes: number): EngineSide {
  const load = new EngineLoad(systemClock);
  const rowCost = new RowCost(rowBytes);
  return {
    setPlacement: (placement) => engine.setPlacement(placement),
    setWorkerCosts: (costs) => {
      engine.setWorkerCosts(costs);
    },
    setIrreplaceable: (workerIds) => {
      engine.setIrreplaceable(workerIds);
    },
    setWorkerUp: (workerId, dataAddress) => {
      engine.setWorkerUp(workerId, dataAddress);
    },
    setWorkerDown: (workerId, reason) => {
      engine.setWorkerDown(workerId, reason);
    },
    forgetWorker: (workerId) => {
      engine.forgetWorker(workerId);
    },
    probeReplica: (workerId, layerIndex, expertId) => engine.probeReplica(workerId, layerIndex, expertId),
    dispatchStats: () => engine.dispatchStats(),
    load: () => {
      const stats = engine.stats();
      rowCost.read(stats, engine.dispatchStats());
      return load.read(stats);
    },
    secondsPerRow: () => rowCost.secondsPerRow,
  };
}
