/** Of each worker and size of call, as many of the last round trips as the 99th percentile needs. */
const NUM_KEPT = 256;
/** Fewer say nothing of the slowest. */
const MIN_SAMPLES = 32;
/** The percentile is looked for anew after so many. */
const SAMPLES_BETWEEN_SORTS = 32;

/** How long workers take to answer calls of a size, by what they have taken lately. */
export class AnswerTimes {
  readonly #bySize = new Map<string, Map<number, RecentTimes>>();

  add(workerId: string, numPairs: number, ms: number): void {
    const ofWorker = this.#bySize.get(workerId) ?? new Map<number, RecentTimes>();
    const size = sizeClass(numPairs);
    const times = ofWorker.get(size) ?? new RecentTimes();
    times.add(ms);
    ofWorker.set(size, times);
    this.#bySize.set(workerId, ofWorker);
  }

  /** Of calls about that large; undefined while too few of those, and of larger ones, were answered. */
  p99Ms(workerId: string, numPairs: number): number | undefined {
    const ofWorker = this.#bySize.get(workerId);
    if (ofWorker === undefined) return undefined;
    for (let size = sizeClass(numPairs); size <= MAX_SIZE_CLASS; size++) {
      const p99Ms = ofWorker.get(size)?.p99Ms;
      if (p99Ms !== undefined) return p99Ms;
    }
    return undefined;
  }

  /** It is no member any more, or another process. */
  forget(workerId: string): void {
    this.#bySize.delete(workerId);
  }
}

const MAX_SIZE_CLASS = 16;

/** Twice the pairs is the next class. */
const sizeClass = (numPairs: number): number => Math.min(Math.floor(Math.log2(Math.max(1, numPairs))), MAX_SIZE_CLASS);

class RecentTimes {
  readonly #ms = new Float64Array(NUM_KEPT);
  #numAdded = 0;
  #p99Ms: number | undefined;

  get p99Ms(): number | undefined {
    return this.#p99Ms;
  }

  add(ms: number): void {
    this.#ms[this.#numAdded % NUM_KEPT] = ms;
    this.#numAdded += 1;
    if (this.#numAdded < MIN_SAMPLES || this.#numAdded % SAMPLES_BETWEEN_SORTS !== 0) return;
    const sorted = this.#ms.slice(0, Math.min(this.#numAdded, NUM_KEPT)).sort();
    this.#p99Ms = sorted[Math.ceil(0.99 * sorted.length) - 1];
  }
}
