import { join } from 'node:path';
import { connectionOpeners } from '@expertmesh/coordinator/serving/connection-openers';
import { closeComputeBackend, createComputeBackend, type ComputeBackend } from '@expertmesh/compute/compute-backend';
import { type DenseRunner } from '@expertmesh/coordinator/dense/dense-runner';
import { loadDenseRunner } from '@expertmesh/coordinator/dense/load-dense-runner';
import {
  GrpcExpertDispatcher,
  type GrpcExpertDispatcherOptions,
} from '@expertmesh/coordinator/dispatch/grpc-expert-dispatcher';
import { BlockPool } from '@expertmesh/coordinator/kv/block-pool';
import { BlockTable } from '@expertmesh/coordinator/kv/block-table';
import { KvMemory } from '@expertmesh/coordinator/kv/kv-memory';
import { kvBlockBytes } from '@expertmesh/kernels/kv-layout';
import { type KvDtype } from '@expertmesh/shared/config/kv-dtype';
import { LocalExperts } from '@expertmesh/coordinator/dispatch/local-experts';
import { ForwardPass, type RoutingObserver } from '@expertmesh/coordinator/engine/forward';
import { shardsOf } from '@expertmesh/coordinator/control/placement/shards';
import { type Member, membersAt, WorkerPool } from '@expertmesh/coordinator/membership/worker-pool';
import { type Numerics } from '@expertmesh/shared/config/numerics';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { type BlockSize, type WeightBits } from '@expertmesh/shared/expert-store/quantisation';
import { storeIdOfCalls, type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { contiguousPlacement, LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { moeLayerIndices } from '@expertmesh/shared/model/model-spec';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { type WorkerFleet } from '@expertmesh/test-kit/worker-fleet';

/** Packs a checkpoint into a store that is removed after the tests. */
export async function packedStore(hfDir: string, bits: WeightBits, blockSize?: BlockSize): Promise<ExpertStore> {
  const storeDir = join(tempDir(), 'store');
  await packCheckpoint({ hfDir, storeDir, bits, blockSize });
  return openExpertStore(storeDir);
}

/** The dense part in this process, the experts here too or on worker processes. */
export interface ModelUnderTest {
  readonly forward: ForwardPass;
  readonly close: () => Promise<void>;
}

/** A store, and what computes its dense part and local experts in this process. */
export interface LoadedStore {
  readonly store: ExpertStore;
  readonly backend: ComputeBackend;
  readonly dense: DenseRunner;
  readonly numerics: Numerics;
  /** An empty table of blocks of the KV memory. */
  readonly createCache: () => BlockTable;
}

const NUM_KV_BLOCKS = 512;

export async function loadStore(
  store: ExpertStore,
  ep: Provider,
  { kvDtype = 'fp32', numerics = 'fast' }: { kvDtype?: KvDtype; numerics?: Numerics } = {},
): Promise<LoadedStore> {
  const { spec } = store;
  const backend = createComputeBackend(ep, store.quantisation, 2, { numerics });
  const kv = new KvMemory({
    spec,
    dtype: kvDtype,
    budgetBytes: NUM_KV_BLOCKS * kvBlockBytes(spec, kvDtype),
    kernels: backend.kind === 'native' ? backend.kernels : undefined,
  });
  const dense = await loadDenseRunner(store, backend, { kv });
  const blocks = { pool: new BlockPool(kv.numBlocks), memory: kv };
  return { store, backend, dense, numerics, createCache: () => new BlockTable(blocks) };
}

export async function closeStore({ dense, backend }: LoadedStore): Promise<void> {
  await dense.close();
  await closeComputeBackend(backend);
}

/** @param observe sees the routing of every layer. */
export async function modelOverWorkers(
  { store, dense, numerics }: LoadedStore,
  fleet: WorkerFleet,
  numWorkers: number,
  observe: RoutingObserver,
  wireDtype: WireDtype = 'fp32',
): Promise<ModelUnderTest> {
  const dispatcher = new GrpcExpertDispatcher({ ...dispatcherOptions(store), wireDtype, numerics });
  const members = membersAt(fleet.controlAddresses.slice(0, numWorkers));
  const placement = evenPlacement(
    store,
    members.map(({ workerId }) => workerId),
  );
  const pool = await poolHolding(store, members, placement, dispatcher);
  await dispatcher.setPlacement(placement);
  return {
    forward: new ForwardPass({ spec: store.spec, dense, experts: dispatcher, observe, numerics }),
    close: async () => {
      pool.close();
      await dispatcher.close();
    },
  };
}

/** @param observe sees the routing of every layer. */
export async function modelWithLocalExperts(
  { store, backend, dense, numerics }: LoadedStore,
  observe: RoutingObserver,
): Promise<ModelUnderTest> {
  const placement = evenPlacement(store, [LOCAL_MEMBER]);
  const local = await LocalExperts.load(store, backend, [...shardsOf(placement, LOCAL_MEMBER)], () => undefined);
  const dispatcher = new GrpcExpertDispatcher({ ...dispatcherOptions(store), local, numerics });
  await dispatcher.setPlacement(placement);
  return {
    forward: new ForwardPass({ spec: store.spec, dense, experts: dispatcher, observe, numerics }),
    close: () => local.close(),
  };
}

const dispatcherOptions = (store: ExpertStore): GrpcExpertDispatcherOptions => ({
  storeId: storeIdOfCalls(store.storeId),
  hiddenSize: store.spec.hiddenSize,
  wireDtype: 'fp32',
  callTimeoutMs: 30_000,
  ...connectionOpeners(undefined),
});

const evenPlacement = ({ spec }: ExpertStore, memberIds: readonly string[]): Placement =>
  contiguousPlacement(1, moeLayerIndices(spec), spec.numExperts, memberIds);

/** Connects to the workers and has each load its part of the placement. */
async function poolHolding(
  { storeId }: ExpertStore,
  members: readonly Member[],
  placement: Placement,
  dispatcher: GrpcExpertDispatcher,
): Promise<WorkerPool> {
  const hold = async (pool: WorkerPool, workerId: string): Promise<void> => {
    const shards = [...shardsOf(placement, workerId)];
    const request = { placementVersion: placement.version, storeId, epoch: 1, shards, sources: [] };
    await pool.commands(workerId)?.hold(request, () => undefined);
  };
  const loads: Promise<void>[] = [];
  const pool = await new Promise<WorkerPool>((resolve, reject) => {
    const started = new WorkerPool({
      storeId,
      heartbeatIntervalMs: 1_000,
      heartbeatTimeoutMs: 10_000,
      ...connectionOpeners(undefined),
      onEvent: (event) => {
        if (event.type === 'down') reject(new ExpertmeshError('unavailable', event.reason));
        if (event.type !== 'up') return;
        dispatcher.setWorkerUp(event.workerId, event.dataAddress);
        if (loads.push(hold(started, event.workerId)) === members.length) resolve(started);
      },
    });
    started.setMembers(members);
  });
  await Promise.all(loads);
  return pool;
}
