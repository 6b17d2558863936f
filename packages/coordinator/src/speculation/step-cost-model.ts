import { type StepCost } from './draft-length.js';

/** Share of the past that stays with each step: about the last 50 steps count. */
const DECAY = 0.98;
/** Prompt chunks say little about steps of a few rows. */
const MAX_ROWS = 64;
/** Until steps of different sizes were seen, a row is taken to cost this share of the step. */
const PRIOR_ROW_SHARE = 0.1;

/** Learns what a step costs from the steps that were made: a decaying least-squares line of time over rows. */
export class StepCostModel {
  #weight = 0;
  #sumRows = 0;
  #sumMs = 0;
  #sumRowsRows = 0;
  #sumRowsMs = 0;

  observe(numRows: number, elapsedMs: number): void {
    if (numRows > MAX_ROWS) return;
    this.#weight = this.#weight * DECAY + 1;
    this.#sumRows = this.#sumRows * DECAY + numRows;
    this.#sumMs = this.#sumMs * DECAY + elapsedMs;
    this.#sumRowsRows = this.#sumRowsRows * DECAY + numRows * numRows;
    this.#sumRowsMs = this.#sumRowsMs * DECAY + numRows * elapsedMs;
  }

  cost(): StepCost {
    if (this.#weight === 0) return { fixedMs: 1 - PRIOR_ROW_SHARE, perRowMs: PRIOR_ROW_SHARE };
    const meanRows = this.#sumRows / this.#weight;
    const meanMs = this.#sumMs / this.#weight;
    const variance = this.#sumRowsRows / this.#weight - meanRows * meanRows;
    const covariance = this.#sumRowsMs / this.#weight - meanRows * meanMs;
    const slope = variance < 0.1 ? (PRIOR_ROW_SHARE * meanMs) / meanRows : covariance / variance;
    const perRowMs = Math.min(Math.max(slope, 0), meanMs / meanRows);
    return { fixedMs: meanMs - perRowMs * meanRows, perRowMs };
  }
}
