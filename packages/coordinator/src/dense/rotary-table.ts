/**
 * Cosine and sine of the rotary embedding by position, computed as transformers does: every step up to the angle is
 * rounded to fp32, which is visible at long positions.
 */
export class RotaryTable {
  readonly halfDim: number;
  readonly #inverseFrequencies: Float32Array;

  constructor(headDim: number, theta: number) {
    this.halfDim = headDim / 2;
    this.#inverseFrequencies = Float32Array.from(
      { length: this.halfDim },
      (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / headDim)),
    );
  }

  /**
   * Writes the rows of `numRows` consecutive positions from `position` on.
   *
   * @param cos fp32 [rows, halfDim], written from row `rowIndex` on; `sin` likewise.
   */
  fill(position: number, numRows: number, cos: Float32Array, sin: Float32Array, rowIndex: number): void {
    let at = rowIndex * this.halfDim;
    for (let row = 0; row < numRows; row++) {
      for (const frequency of this.#inverseFrequencies) {
        const angle = Math.fround(frequency * (position + row));
        cos[at] = Math.cos(angle);
        sin[at] = Math.sin(angle);
        at += 1;
      }
    }
  }
}
