import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { type EngineStats } from '../engine/engine-client.js';

/** An echo over loopback took so long for each byte of large messages, both ways together. */
const TYPICAL_SECONDS_PER_BYTE = 2.2e-9;
/** Figures that are further off say more of a busy machine than of rows. */
const MAX_FACTOR = 5;
/** Weight that earlier readings keep at each new one: the last hundred or so count. */
const DECAY = 0.99;
/** 1 - correlation squared: below this, steps have been too much alike. */
const MIN_SPREAD = 0.05;

interface Totals {
  readonly numLayers: number;
  readonly numRows: number;
  readonly seconds: number;
}

/**
 * What it takes to send one more token row of a layer to a worker and to take its answer. A layer costs so much
 * whatever is sent, and each row so much more: the least squares of both over how the engine's counters have grown. As
 * long as steps were all alike the two cannot be told apart, and it is what rows usually take.
 */
export class RowCost {
  readonly #rowBytes: number;
  readonly #typicalSeconds: number;
  #last: Totals | undefined;
  #sums = { ll: 0, lr: 0, rr: 0, lt: 0, rt: 0 };

  /** @param rowBytes of a row on its way to a worker */
  constructor(rowBytes: number) {
    this.#typicalSeconds = 2 * rowBytes * TYPICAL_SECONDS_PER_BYTE;
    this.#rowBytes = rowBytes;
  }

  /** To be called about once a second. */
  read({ layerTimes }: EngineStats, { workers }: DispatchStats): void {
    if (layerTimes === undefined) return;
    const sentBytes = workers.reduce((total, worker) => total + worker.sentBytes, 0);
    const now = {
      numLayers: layerTimes.numLayers,
      numRows: sentBytes / this.#rowBytes,
      seconds: (layerTimes.serialise + layerTimes.combine) / 1e6,
    };
    const last = this.#last;
    this.#last = now;
    if (last === undefined) return;
    this.#add(now.numLayers - last.numLayers, now.numRows - last.numRows, now.seconds - last.seconds);
  }

  get secondsPerRow(): number {
    const { ll, lr, rr, lt, rt } = this.#sums;
    const determinant = ll * rr - lr * lr;
    if (!(determinant > MIN_SPREAD * ll * rr)) return this.#typicalSeconds;
    const fitted = (ll * rt - lr * lt) / determinant;
    return Math.min(MAX_FACTOR, Math.max(1 / MAX_FACTOR, fitted / this.#typicalSeconds)) * this.#typicalSeconds;
  }

  // Counters of a worker that came back begin anew: that reading says nothing.
  #add(layers: number, rows: number, seconds: number): void {
    if (layers <= 0 || rows < 0 || seconds < 0) return;
    // Each reading counts alike, however much was computed in it.
    const [l, r, t] = [1, rows / layers, seconds / layers];
    const { ll, lr, rr, lt, rt } = this.#sums;
    this.#sums = {
      ll: ll * DECAY + l * l,
      lr: lr * DECAY + l * r,
      rr: rr * DECAY + r * r,
      lt: lt * DECAY + l * t,
      rt: rt * DECAY + r * t,
    };
  }
}
