import { storeIdOfCalls } from '@expertmesh/shared/rpc/dispatch-message';
import { closeComputeBackend, createComputeBackend, type ComputeBackend } from '@expertmesh/compute/compute-backend';
import { loadKernels, whyNoKernels } from '@expertmesh/kernels/kernels';
import { type Numerics } from '@expertmesh/shared/config/numerics';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { moeLayerIndices } from '@expertmesh/shared/model/model-spec';
import { contiguousPlacement, LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeKernels } from '@expertmesh/test-kit/describe-kernels';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { type DenseRunner } from '../dense/dense-runner.js';
import { loadDenseRunner } from '../dense/load-dense-runner.js';
import { type LayerCall } from '../dispatch/expert-dispatcher.js';
import { GrpcExpertDispatcher } from '../dispatch/grpc-expert-dispatcher.js';
import { BlockPool } from '../kv/block-pool.js';
import { BlockTable } from '../kv/block-table.js';
import { KvMemory } from '../kv/kv-memory.js';
import { LocalExperts } from '../dispatch/local-experts.js';
import { ForwardPass, type Chunk, type RoutingObserver } from './forward.js';
import { LayerTimes } from './layer-times.js';
import { connectionOpeners } from '../serving/connection-openers.js';

const DEMO_MODEL_DIR = new URL('../../../../models/qwen3-moe-demo', import.meta.url).pathname;

describeKernels('a forward pass with all experts in this process', loadKernels() ?? whyNoKernels(), () => {
  // Nothing travels here, so that fp16 rounds nothing; with exact sums, what workers get is rounded here as well.
  it.each([
    ['invariant', 'fp32'],
    ['fast', 'fp16'],
  ] as const)('gives the same bits in one call as layer by layer, %s with %s', async (numerics, wireDtype) => {
    const { spec, dense, experts, close } = await demoModel(numerics, wireDtype);
    const times = new LayerTimes();
    const seen = { whole: new Array<unknown>(), single: new Array<unknown>() };
    const observe = (into: unknown[]): RoutingObserver => {
      return (layerIndex, { expertIds, routingWeights, probabilitySums }) =>
        into.push([layerIndex, expertIds.slice(), routingWeights.slice(), probabilitySums.slice()]);
    };
    const whole = new ForwardPass({
      ...{ spec, dense, experts, numerics, microBatches: 2, times },
      observe: observe(seen.whole),
    });
    const layerByLayer = { dispatch: (call: LayerCall) => experts.dispatch(call) };
    const single = new ForwardPass({
      ...{ spec, dense, experts: layerByLayer, numerics },
      observe: observe(seen.single),
    });
    const results: Float32Array[][] = [];
    for (const forward of [whole, single]) {
      const blocks = { pool: new BlockPool(dense.kv.numBlocks), memory: dense.kv };
      const caches = [new BlockTable(blocks), new BlockTable(blocks)];
      results.push(await logitsOf(forward, caches, [[1, 2, 3, 4, 5], [7]]));
      results.push(await logitsOf(forward, caches, [[6], [8]]));
    }
    expect(results.slice(0, 2)).toEqual(results.slice(2));
    expect(seen.whole).toHaveLength(2 * moeLayerIndices(spec).length);
    expect(seen.whole).toEqual(seen.single);
    expect(times.read().numLayers).toBe(seen.whole.length);
    expect(times.read().dense).toBeGreaterThan(0);
    expect(times.read().compute).toBeGreaterThan(0);
    await close();
  });

  it('goes layer by layer while a worker has experts', async () => {
    const { spec, experts, close } = await demoModel('invariant', 'fp32');
    expect(experts.allExperts()?.numLayers).toBe(moeLayerIndices(spec).length);
    await experts.setPlacement(
      contiguousPlacement(2, moeLayerIndices(spec), spec.numExperts, [LOCAL_MEMBER, 'box-1:7000']),
    );
    expect(experts.allExperts()).toBeUndefined();
    await close();
  });
});

describeKernels('rows that are rounded for workers', loadKernels() ?? whyNoKernels(), () => {
  it('are rounded also where all experts are here, layer by layer', async () => {
    const { experts, close } = await demoModel('invariant', 'fp16');
    expect(experts.allExperts()).toBeUndefined();
    await close();
  });
});

describe('a forward pass in one call', () => {
  it('fails the sequences whose values are not finite, and no others', async () => {
    const spec = { numLayers: 1, layerKinds: ['moe'], hiddenSize: 2, vocabSize: 2 } as never;
    const dense = {
      embed: (tokenIds: readonly number[]) => Float32Array.from(tokenIds.flatMap((tokenId) => [tokenId, 1])),
      begin: () => ({
        allLayers: (hidden: Float32Array) => {
          hidden[hidden.indexOf(5)] = NaN;
          return Promise.resolve({ seconds: { dense: 1, experts: 1 }, routes: [] });
        },
      }),
      logits: (hidden: Float32Array) => Promise.resolve(hidden.slice()),
    } as unknown as DenseRunner;
    const experts = { allExperts: () => ({ numLayers: 1 }), dispatch: () => Promise.reject(new Error('not asked')) };
    const chunks = [[5, 6], [7]].map((tokenIds): Chunk => ({
      cache: { length: 0, blockIds: new Int32Array() },
      tokenIds,
      numLogits: 1,
    }));
    const results = await new ForwardPass({ spec, dense, experts }).run(chunks);
    expect(chunks.map((chunk) => results.get(chunk))).toMatchObject([
      { ok: false, error: { code: 'data_loss' } },
      { ok: true, logits: Float32Array.of(7, 1) },
    ]);
  });
});

async function demoModel(numerics: Numerics, wireDtype: WireDtype) {
  const storeDir = join(tempDir(), 'store');
  await packCheckpoint({ hfDir: DEMO_MODEL_DIR, storeDir, bits: 4, blockSize: 32 });
  const store = await openExpertStore(storeDir);
  const { spec } = store;
  const backend = createComputeBackend('native', store.quantisation, 2, { numerics });
  const { kernels } = backend as Extract<ComputeBackend, { kind: 'native' }>;
  const kv = new KvMemory({ spec, dtype: 'fp16', budgetBytes: 2 ** 20, kernels });
  const dense = await loadDenseRunner(store, backend, { kv });
  const expertIds = Array.from({ length: spec.numExperts }, (_, expertId) => expertId);
  const shards = moeLayerIndices(spec).map((layerIndex) => ({ layerIndex, expertIds }));
  const local = await LocalExperts.load(store, backend, shards, () => undefined);
  const experts = new GrpcExpertDispatcher({
    storeId: storeIdOfCalls(store.storeId),
    hiddenSize: spec.hiddenSize,
    wireDtype,
    numerics,
    callTimeoutMs: 1_000,
    ...connectionOpeners(undefined),
    local,
  });
  await experts.setPlacement(contiguousPlacement(1, moeLayerIndices(spec), spec.numExperts, [LOCAL_MEMBER]));
  const close = async (): Promise<void> => {
    await local.close();
    await dense.close();
    await closeComputeBackend(backend);
  };
  return { spec, dense, experts, close };
}

async function logitsOf(
  forward: ForwardPass,
  caches: readonly BlockTable[],
  tokenIds: readonly (readonly number[])[],
): Promise<Float32Array[]> {
  const chunks = caches.map((cache, index) => ({ cache, tokenIds: tokenIds[index] ?? [], numLogits: 1 }));
  for (const { cache, tokenIds: added } of chunks) cache.reserve(added.length);
  const results = await forward.run(chunks);
  for (const { cache, tokenIds: added } of chunks) cache.advance(added.length);
  return chunks.map((chunk) => {
    const result = results.get(chunk);
    if (result?.ok !== true) throw result?.error ?? new Error('no result');
    return result.logits.slice();
  });
}
