import { type ExpertCall, type ExpertLayer } from '@expertmesh/kernels/expert-layer';
import { type KernelPool } from '@expertmesh/kernels/kernel-pool';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type LayerRunner } from './layer-runner.js';
import {
  areSumsExact,
  decodeRows,
  gatherUnits,
  splitByCall,
  splitExactByCall,
  type RunnerScratch,
} from './runner-scratch.js';

export interface NativeLayerOptions {
  readonly layer: ExpertLayer;
  readonly pool: KernelPool;
  readonly hiddenSize: number;
  readonly numLocalExperts: number;
  /** By logical expert: its position in the layer, or -1. */
  readonly localIndices: Int32Array;
  readonly scratch: RunnerScratch;
}

/** The native kernels, straight from the store's mapped files: gathering, weighting and summing are theirs. */
export class NativeLayerRunner implements LayerRunner {
  readonly #options: NativeLayerOptions;

  constructor(options: NativeLayerOptions) {
    this.#options = options;
  }

  get native(): ExpertLayer {
    return this.#options.layer;
  }

  async run(calls: readonly DispatchCall[]): Promise<readonly Float32Array[]> {
    const { scratch } = this.#options;
    return scratch.during(() => this.#run(calls, scratch));
  }

  /** The layer's files are unmapped when nothing refers to it any more. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  async #run(calls: readonly DispatchCall[], scratch: RunnerScratch): Promise<readonly Float32Array[]> {
    const { layer, pool, hiddenSize, localIndices, numLocalExperts } = this.#options;
    const numValues = calls.reduce((sum, call) => sum + call.numRows, 0) * hiddenSize;
    const { order } = scratch;
    order.sort(calls, localIndices, numLocalExperts);
    const rows = scratch.grow('rows', numValues);
    const sums = scratch.grow('sums', numValues);
    decodeRows(calls, rows);
    const call = {
      rows: rows.subarray(0, numValues),
      pairRows: Uint32Array.from(order.rowIndices.subarray(0, order.numPairs)),
      pairExperts: expertOfEachPair(order.starts, order.numPairs),
      pairWeights: order.weights.subarray(0, order.numPairs),
      out: sums.subarray(0, numValues),
    };
    if (areSumsExact(calls)) return this.#runExact(calls, call);
    await layer.run(pool, call);
    return splitByCall(calls, sums);
  }

  async #runExact(calls: readonly DispatchCall[], call: ExpertCall): Promise<readonly Float32Array[]> {
    const { layer, pool, hiddenSize, scratch } = this.#options;
    const numRows = call.rows.length / hiddenSize;
    const high = scratch.grow('high', call.rows.length);
    const units = scratch.grow('sumUnits', numRows);
    gatherUnits(calls, units);
    const exact = { units: units.subarray(0, numRows), high: high.subarray(0, call.rows.length) };
    const hasHigh = await layer.run(pool, { ...call, exact });
    return splitExactByCall(calls, scratch.sums, hasHigh ? high : undefined);
  }
}

function expertOfEachPair(starts: Int32Array, numPairs: number): Uint32Array {
  const experts = new Uint32Array(numPairs);
  for (let index = 0; index + 1 < starts.length; index += 1) experts.fill(index, starts[index], starts[index + 1]);
  return experts;
}
