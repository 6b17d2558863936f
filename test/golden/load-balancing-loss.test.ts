import { storeIdOfCalls } from '@expertmesh/shared/rpc/dispatch-message';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { connectionOpeners } from '@expertmesh/coordinator/serving/connection-openers';
import { RouteCounter, type RouteReport } from '@expertmesh/coordinator/balance/route-counter';
import { GrpcExpertDispatcher } from '@expertmesh/coordinator/dispatch/grpc-expert-dispatcher';
import { LocalExperts } from '@expertmesh/coordinator/dispatch/local-experts';
import { ForwardPass, type Chunk } from '@expertmesh/coordinator/engine/forward';
import { loadKernels } from '@expertmesh/kernels/kernels';
import { CountSums } from '@expertmesh/shared/balance/count-sums';
import { layerLoadBalancingLosses } from '@expertmesh/shared/balance/expert-use';
import { RouteCounts } from '@expertmesh/shared/balance/route-counts';
import { routingShape } from '@expertmesh/shared/balance/routing-shape';
import { loadBalancingLoss } from '@expertmesh/shared/placement/balance-measures';
import { contiguousPlacement, LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { closeStore, loadStore, packedStore } from './model-under-test.js';

interface LossGolden {
  readonly checkpoint: string;
  readonly sequences: readonly (readonly number[])[];
  /** transformers' load_balancing_loss_func of each layer alone. */
  readonly layerLosses: readonly number[];
  /** The same of all layers as if they were one. */
  readonly lossOfAllLayers: number;
}

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'data/load-balancing-loss.json'), 'utf8'),
) as LossGolden;

/** One expert of a token more or less, through rounding, is of this size. */
const MAX_RELATIVE_DIFFERENCE = 2e-4;

describe.each(['cpu', 'native'] as const)('the load-balancing loss of the demo model on %s', (ep) => {
  it.skipIf(ep === 'native' && loadKernels() === undefined)(
    'is what transformers computes from the same tokens',
    async () => {
      const sums = await routedSums(ep);
      const numTokens = golden.sequences.reduce((total, { length }) => total + length, 0);
      expect([sums.numRows, sums.numSteps]).toEqual([numTokens, 1]);
      for (const [layer, loss] of layerLoadBalancingLosses(sums).entries())
        expect(relativeDifference(loss, golden.layerLosses[layer])).toBeLessThan(MAX_RELATIVE_DIFFERENCE);
      expect(relativeDifference(lossOfAllLayers(sums), golden.lossOfAllLayers)).toBeLessThan(MAX_RELATIVE_DIFFERENCE);
    },
  );
});

/** Counts all sequences in one pass, as the engine does. */
async function routedSums(ep: 'cpu' | 'native'): Promise<CountSums> {
  const store = await packedStore(resolve(import.meta.dirname, '../..', golden.checkpoint), 32);
  const shape = routingShape(store.spec);
  const reports: RouteReport[] = [];
  const counter = new RouteCounter({ shape, report: (report) => reports.push(report) });
  const loaded = await loadStore(store, ep);
  const { layerIndices, numExperts } = shape;
  const expertIds = Array.from({ length: numExperts }, (_, expertId) => expertId);
  const shards = layerIndices.map((layerIndex) => ({ layerIndex, expertIds }));
  const local = await LocalExperts.load(store, loaded.backend, shards, () => undefined);
  const dispatcher = new GrpcExpertDispatcher({
    storeId: storeIdOfCalls(store.storeId),
    hiddenSize: store.spec.hiddenSize,
    wireDtype: 'fp32',
    callTimeoutMs: 30_000,
    ...connectionOpeners(undefined),
    local,
  });
  await dispatcher.setPlacement(contiguousPlacement(1, layerIndices, numExperts, [LOCAL_MEMBER]));
  const forward = new ForwardPass({
    spec: store.spec,
    dense: loaded.dense,
    experts: dispatcher,
    observe: (layerIndex, routed) => {
      counter.observe(layerIndex, routed);
    },
  });
  const chunks = golden.sequences.map((tokenIds): Chunk => {
    const cache = loaded.createCache();
    cache.reserve(tokenIds.length);
    return { cache, tokenIds, numLogits: 0 };
  });
  await forward.run(chunks);
  counter.report();
  await local.close();
  await closeStore(loaded);
  const sums = new CountSums(shape);
  for (const { counts, workers } of reports) sums.add(new RouteCounts(shape, counts), workers);
  return sums;
}

function lossOfAllLayers(sums: CountSums): number {
  const { layerIndices, numExperts, topK } = sums.shape;
  const overLayers = (values: Float64Array): Float64Array =>
    Float64Array.from({ length: numExperts }, (_, expertId) =>
      layerIndices.reduce((total, _layer, layer) => total + (sums.ofLayer(values, layer)[expertId] ?? 0), 0),
    );
  const numRows = sums.numRows * layerIndices.length;
  const means = overLayers(sums.probabilitySums).map((sum) => sum / numRows);
  return topK * loadBalancingLoss(overLayers(sums.tokens), means);
}

const relativeDifference = (actual: number, expected = NaN): number => Math.abs(actual - expected) / expected;
