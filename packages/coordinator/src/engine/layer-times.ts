import { type DispatchTimes } from '../dispatch/expert-dispatcher.js';

/**
 * Where the time of the layers with experts goes, in microseconds, summed over `numLayers` passes of a batch through
 * such a layer. With micro-batches the stages of different batches overlap, so their sum is more than the time that
 * passed.
 */
export interface LayerTimeSums {
  readonly numLayers: number;
  /** Norms, projections, attention and router, on the coordinator. */
  readonly dense: number;
  /** Grouping pairs by worker and writing messages. */
  readonly serialise: number;
  /** From the last message written to the last answer, without what calls waited at workers and were computed in. */
  readonly wire: number;
  /** Calls waited in queues of workers, and no worker computed. */
  readonly wait: number;
  /** At least one worker computed. */
  readonly compute: number;
  /** Checking and adding up the answers. */
  readonly combine: number;
}

export class LayerTimes {
  #sums: LayerTimeSums = { numLayers: 0, dense: 0, serialise: 0, wire: 0, wait: 0, compute: 0, combine: 0 };

  add(denseUs: number, dispatch: DispatchTimes): void {
    const sums = this.#sums;
    this.#sums = {
      numLayers: sums.numLayers + 1,
      dense: sums.dense + denseUs,
      serialise: sums.serialise + dispatch.serialiseUs,
      wire: sums.wire + dispatch.wireUs,
      wait: sums.wait + dispatch.waitUs,
      compute: sums.compute + dispatch.computeUs,
      combine: sums.combine + dispatch.combineUs,
    };
  }

  /** Several layers at once, whose experts were computed here. */
  addLocal(numLayers: number, denseUs: number, computeUs: number): void {
    const sums = this.#sums;
    this.#sums = {
      ...sums,
      numLayers: sums.numLayers + numLayers,
      dense: sums.dense + denseUs,
      compute: sums.compute + computeUs,
    };
  }

  read(): LayerTimeSums {
    return this.#sums;
  }
}
