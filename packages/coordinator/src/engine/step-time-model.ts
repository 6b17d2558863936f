/** Sizes of steps are told apart as powers of 2 to the half: 1, 2, 3, 4, 6, 8, 11, 16 rows and so on. */
const SIZES_PER_DOUBLING = 2;
/** Weight of a new measurement of a size. */
const LEARNING_RATE = 0.2;
/**
 * A measurement counts as at most this share above or below what was known: one pause of the machine is not what steps
 * take.
 */
const MAX_SURPRISE = 0.5;
/**
 * The first step of a size counts as at most so many times what its neighbours predict, as it may include page faults.
 * Time that is proportional to the rows stays below this.
 */
const MAX_FIRST_STRETCH = 2;
/** Weight of a new deviation. */
const DEVIATION_RATE = 0.05;
/** So many mean deviations above the mean lie about 99 of 100 values. */
const DEVIATIONS = 3;
/**
 * More than this share is not added for deviations: where the machine does other work, smaller steps do not make it
 * even.
 */
const MAX_MARGIN = 0.4;
/**
 * What was not measured for so many steps is forgotten, as the model's length of contexts and the machine have moved
 * on.
 */
const MEMORY_STEPS = 512;
/** Beyond the sizes that are known, a row is taken to add this share of what a step of one row takes. */
const PRIOR_ROW_SHARE = 0.1;
/** Between sizes further apart than this factor, nothing is known. */
const MAX_GAP = 2;
/** How far beyond the known sizes a step may go. */
const REACH = 1.5;

interface MeasuredSize {
  /** Decaying means of the steps of about this size. */
  numRows: number;
  elapsedMs: number;
  lastStep: number;
}

/**
 * Learns how long a step takes by its number of rows, from the steps that were made. No form is assumed between
 * measured sizes: with experts, time rises steeply while each row needs experts that no other row has read, then more
 * slowly.
 */
export class StepTimeModel {
  readonly #sizes: (MeasuredSize | undefined)[] = [];
  #numSteps = 0;
  /** Mean difference between a step and what was expected of it, as a share of that. */
  #deviation = 0;

  observe(numRows: number, elapsedMs: number): void {
    this.#numSteps += 1;
    const index = Math.round(Math.log2(numRows) * SIZES_PER_DOUBLING);
    const known = this.#sizes[index];
    if (known === undefined || this.#isForgotten(known)) {
      this.#sizes[index] = { numRows, elapsedMs: this.#firstMs(numRows, elapsedMs), lastStep: this.#numSteps };
      return;
    }
    const expectedMs = this.expectMs(numRows);
    const surprise = Math.min(Math.max(elapsedMs / expectedMs - 1, -MAX_SURPRISE), MAX_SURPRISE);
    this.#deviation += DEVIATION_RATE * (Math.abs(surprise) - this.#deviation);
    known.elapsedMs += LEARNING_RATE * surprise * known.elapsedMs;
    known.numRows += LEARNING_RATE * (numRows - known.numRows);
    known.lastStep = this.#numSteps;
  }

  /**
   * Milliseconds that a step of so many rows is expected to take; before the first measurement, in units of a step of
   * one row.
   */
  expectMs(numRows: number): number {
    let below: MeasuredSize | undefined;
    for (const size of this.#known()) {
      if (size.numRows >= numRows) return below === undefined ? scaled(size, numRows) : between(below, size, numRows);
      below = size;
    }
    return below === undefined ? priorTime(numRows) : scaled(below, numRows);
  }

  /** Milliseconds that about 99 of 100 steps of so many rows stay within. */
  boundMs(numRows: number): number {
    return this.expectMs(numRows) * (1 + Math.min(DEVIATIONS * this.#deviation, MAX_MARGIN));
  }

  /**
   * The most rows that a step can have without going far beyond sizes that were measured, from a size of `numRows`
   * upwards.
   */
  reachableRows(numRows: number): number {
    let reached = numRows;
    for (const size of this.#known()) {
      if (size.numRows > MAX_GAP * reached) break;
      reached = Math.max(reached, size.numRows);
    }
    return Math.floor(REACH * reached);
  }

  #firstMs(numRows: number, elapsedMs: number): number {
    const isNear = (size: MeasuredSize): boolean =>
      size.numRows <= MAX_GAP * numRows && numRows <= MAX_GAP * size.numRows;
    return this.#known().some(isNear) ? Math.min(elapsedMs, MAX_FIRST_STRETCH * this.expectMs(numRows)) : elapsedMs;
  }

  #known(): MeasuredSize[] {
    return this.#sizes.filter((size) => size !== undefined && !this.#isForgotten(size)) as MeasuredSize[];
  }

  #isForgotten({ lastStep }: MeasuredSize): boolean {
    return this.#numSteps - lastStep > MEMORY_STEPS;
  }
}

const priorTime = (numRows: number): number => 1 + PRIOR_ROW_SHARE * (numRows - 1);

const scaled = (size: MeasuredSize, numRows: number): number =>
  (size.elapsedMs * priorTime(numRows)) / priorTime(size.numRows);

function between(below: MeasuredSize, above: MeasuredSize, numRows: number): number {
  if (above.numRows > MAX_GAP * numRows) return scaled(below, numRows);
  const share = (numRows - below.numRows) / (above.numRows - below.numRows);
  return below.elapsedMs + share * (above.elapsedMs - below.elapsedMs);
}
