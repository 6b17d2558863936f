import { CountSums } from './count-sums.js';
import { type Counts, type WorkerCountsById } from './route-counts.js';
import { type RoutingShape } from './routing-shape.js';

/** A window slides by this part of itself. */
const SLICES_PER_WINDOW = 4;

export interface WindowLengths {
  /** Rows of a window, at least: what is added at once is not divided. */
  readonly windowRows: number;
  /** Rows after which a count weighs half in `recent`. */
  readonly halfLifeRows: number;
}

/**
 * Counts over three spans: since ever (`total`), with what is older weighing less (`recent`), and over the last
 * `windowRows` rows. Windows follow each other without overlap (that is when `add` says so); the one that `window`
 * gives slides in slices between these ends. Memory is bounded by the number of slices.
 */
export class LoadWindows {
  readonly total: CountSums;
  readonly recent: CountSums;
  readonly #lengths: WindowLengths;
  readonly #shape: RoutingShape;
  /** Full slices, oldest first: as many as a window needs. */
  readonly #slices: CountSums[] = [];
  readonly #window: CountSums;
  #isWindowSummed = false;
  #hadFullWindow = false;
  #open: CountSums;
  #rowsSinceEnd = 0;

  constructor(shape: RoutingShape, lengths: WindowLengths) {
    this.#shape = shape;
    this.#lengths = lengths;
    this.total = new CountSums(shape);
    this.recent = new CountSums(shape);
    this.#window = new CountSums(shape);
    this.#open = new CountSums(shape);
  }

  /** The last `windowRows` rows; before there were so many, all that were added. Holds until the next `add`. */
  get window(): CountSums {
    if (!this.#isWindowSummed) {
      this.#window.clear();
      const parts = this.#hadFullWindow ? this.#slices : [...this.#slices, this.#open];
      for (const part of parts) this.#window.add(part, part.workers);
      this.#isWindowSummed = true;
    }
    return this.#window;
  }

  /** @returns whether a window has ended with these counts; it is what `window` has now. */
  add(counts: Counts, workers: WorkerCountsById): boolean {
    this.total.add(counts, workers);
    this.recent.scale(2 ** (-counts.numRows / this.#lengths.halfLifeRows));
    this.recent.add(counts, workers);
    this.#open.add(counts, workers);
    if (!this.#hadFullWindow) this.#isWindowSummed = false;
    if (this.#open.numRows < this.#lengths.windowRows / SLICES_PER_WINDOW) return false;
    return this.#endSlice();
  }

  #endSlice(): boolean {
    this.#rowsSinceEnd += this.#open.numRows;
    this.#slices.push(this.#open);
    this.#open = this.#dropOldSlices() ?? new CountSums(this.#shape);
    this.#open.clear();
    this.#isWindowSummed = false;
    if (this.#rowsSinceEnd < this.#lengths.windowRows) return false;
    this.#rowsSinceEnd = 0;
    this.#hadFullWindow = true;
    return true;
  }

  // What stays is the shortest run of slices that is a window, so it never reaches into the window before one that has
  // just ended.
  #dropOldSlices(): CountSums | undefined {
    let dropped: CountSums | undefined;
    let numRows = this.#slices.reduce((sum, slice) => sum + slice.numRows, 0);
    for (let [oldest] = this.#slices; oldest !== undefined; [oldest] = this.#slices) {
      if (numRows - oldest.numRows < this.#lengths.windowRows) break;
      numRows -= oldest.numRows;
      dropped = this.#slices.shift();
    }
    return dropped;
  }
}
