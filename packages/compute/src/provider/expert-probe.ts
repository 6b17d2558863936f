import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { closeComputeBackend, createComputeBackend } from '../compute-backend.js';
import { layerRunners, type StoredExperts } from '../experts/expert-runners.js';
import { pseudoRandom, relativeError } from './compare.js';
import { IDLE_STRIDE } from './probe-model.js';
import { medianMs } from './time-runs.js';

/** A step of this many tokens, which need the same experts. */
export const PROBE_TOKENS = 8;

export interface GraphProbe {
  readonly error: number;
  readonly ms: number;
}

/** Has a provider compute experts as a worker would. */
export async function probeExperts(model: StoredExperts, provider: Provider, numThreads: number): Promise<GraphProbe> {
  const call = probeCall(model);
  const expected = await runExperts(model, 'cpu', numThreads, call);
  const actual = await runExperts(model, provider, numThreads, call);
  return { error: relativeError(actual.sums, expected.sums), ms: actual.ms };
}

async function runExperts(
  model: StoredExperts,
  provider: Provider,
  numThreads: number,
  call: DispatchCall,
): Promise<{ sums: Float32Array; ms: number }> {
  const backend = createComputeBackend(provider, model.quantisation, numThreads);
  const expertIds = Array.from({ length: model.spec.numExperts }, (_, expertId) => expertId);
  const runner = await layerRunners(model, backend)(0, expertIds);
  const [sums = new Float32Array()] = await runner.run([call]);
  const copy = sums.slice();
  const ms = await medianMs(() => runner.run([call]));
  await runner.close();
  await closeComputeBackend(backend);
  return { sums: copy, ms };
}

function probeCall({ spec }: StoredExperts): DispatchCall {
  const { topK, hiddenSize } = spec;
  const numPairs = PROBE_TOKENS * topK;
  return {
    callId: 1,
    layerIndex: 0,
    placementVersion: 1,
    // It travels nowhere.
    storeId: '',
    numRows: PROBE_TOKENS,
    hiddenSize,
    rowDtype: 'fp32',
    rowOffsets: Uint32Array.from({ length: PROBE_TOKENS + 1 }, (_, row) => row * topK),
    expertIds: Uint32Array.from({ length: numPairs }, (_, pair) => (pair % topK) * IDLE_STRIDE),
    routingWeights: new Float32Array(numPairs).fill(1 / topK),
    rows: pseudoRandom(PROBE_TOKENS * hiddenSize, 1),
  };
}
