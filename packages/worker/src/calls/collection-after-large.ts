import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A message of a decoding step is smaller. */
const LARGE_BYTES = 8 * 1024 * 1024;
/** Longer than what computes keeps its arrays (RunnerScratch). */
const IDLE_MS = 2_000;

/**
 * Collects garbage once, when nothing has come or gone for a while since a large message: the engine would do so when
 * something is allocated next, and a worker that waits allocates nothing.
 */
export class CollectionAfterLarge {
  readonly #collect: () => void;
  #due: NodeJS.Timeout | undefined;

  constructor(collect = garbageCollector()) {
    this.#collect = collect;
  }

  /** A message of so many bytes came or went. */
  note(sizeBytes: number): void {
    if (this.#due !== undefined) this.#due.refresh();
    else if (sizeBytes >= LARGE_BYTES)
      this.#due = setTimeout(() => {
        this.#due = undefined;
        this.#collect();
      }, IDLE_MS).unref();
  }
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
