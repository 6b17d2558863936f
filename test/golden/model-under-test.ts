import { join } from 'node:path';
import { DenseRunner, type RoutedRows } from '@expertmesh/coordinator/dense/dense-runner';
import { GrpcExpertDispatcher } from '@expertmesh/coordinator/dispatch/grpc-expert-dispatcher';
import { ForwardPass } from '@expertmesh/coordinator/engine/forward';
import { WorkerPool } from '@expertmesh/coordinator/membership/worker-pool';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { type BlockSize, type WeightBits } from '@expertmesh/shared/expert-store/quantisation';
import { moeLayerIndices } from '@expertmesh/shared/model/model-spec';
import { tempDir } from '../kit/temp-dir.js';
import { type WorkerFleet } from '../kit/worker-fleet.js';

/** Packs a checkpoint into a store that is removed after the tests. */
export async function packedStore(hfDir: string, bits: WeightBits, blockSize?: BlockSize): Promise<ExpertStore> {
  const storeDir = join(tempDir(), 'store');
  await packCheckpoint({ hfDir, storeDir, bits, blockSize });
  return openExpertStore(storeDir);
}

/** The dense part in this process, the experts on the fleet's first `numWorkers` processes. */
export interface ModelUnderTest {
  readonly store: ExpertStore;
  readonly forward: ForwardPass;
  close(): Promise<void>;
}

/** @param observe sees the routing of every layer. */
export async function modelOverWorkers(
  store: ExpertStore,
  dense: DenseRunner,
  fleet: WorkerFleet,
  numWorkers: number,
  observe: (layerIndex: number, routed: RoutedRows) => void,
): Promise<ModelUnderTest> {
  const dispatcher = new GrpcExpertDispatcher({
    hiddenSize: store.spec.hiddenSize,
    wireDtype: 'fp32',
    callTimeoutMs: 30_000,
  });
  const pool = await poolUp(store, fleet, numWorkers, dispatcher);
  dispatcher.setPlacement(pool.placement);
  return {
    store,
    forward: new ForwardPass({ spec: store.spec, dense, experts: dispatcher, observe }),
    close: async () => {
      pool.close();
      await dispatcher.close();
    },
  };
}

export const loadDense = (store: ExpertStore): Promise<DenseRunner> => DenseRunner.load(store, { numThreads: 2 });

async function poolUp(
  store: ExpertStore,
  fleet: WorkerFleet,
  numWorkers: number,
  dispatcher: GrpcExpertDispatcher,
): Promise<WorkerPool> {
  const up = new Set<string>();
  return new Promise((resolve, reject) => {
    const pool = new WorkerPool({
      controlAddresses: fleet.controlAddresses.slice(0, numWorkers),
      storeId: store.storeId,
      moeLayerIndices: moeLayerIndices(store.spec),
      numExperts: store.spec.numExperts,
      heartbeatIntervalMs: 1_000,
      heartbeatTimeoutMs: 10_000,
      onEvent: (event) => {
        if (event.type === 'down') reject(new ExpertmeshError('unavailable', event.reason));
        if (event.type !== 'up') return;
        dispatcher.setWorkerUp(event.workerId, event.dataAddress);
        if (up.add(event.workerId).size === numWorkers) resolve(pool);
      },
    });
  });
}
