/** Samples older than this no longer count: the rate follows what the disk does now. */
const WINDOW_MS = 15_000;
/** Samples closer together than this are one. */
const SAMPLE_MS = 250;

interface Sample {
  readonly timeMs: number;
  readonly doneBytes: number;
}

/** Estimates a rate and the time left from how far the work was when. */
export class RateMeter {
  readonly #samples: Sample[] = [];
  #last: Sample | undefined;

  add(timeMs: number, doneBytes: number): void {
    this.#last = { timeMs, doneBytes };
    if (timeMs - (this.#samples.at(-1)?.timeMs ?? -Infinity) >= SAMPLE_MS) this.#samples.push(this.#last);
    while ((this.#samples[1]?.timeMs ?? Infinity) <= timeMs - WINDOW_MS) this.#samples.shift();
  }

  /** Undefined until two moments are known. */
  get bytesPerSecond(): number | undefined {
    const first = this.#samples[0];
    if (first === undefined || this.#last === undefined || this.#last.timeMs === first.timeMs) return undefined;
    return ((this.#last.doneBytes - first.doneBytes) / (this.#last.timeMs - first.timeMs)) * 1000;
  }

  /** Undefined while nothing moves. */
  secondsLeft(totalBytes: number): number | undefined {
    const rate = this.bytesPerSecond;
    return rate === undefined || rate <= 0 ? undefined : (totalBytes - (this.#last?.doneBytes ?? 0)) / rate;
  }
}
