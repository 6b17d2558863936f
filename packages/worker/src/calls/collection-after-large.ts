import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A message of a decoding step is smaller. */
const LARGE_BYTES = 8 * 1024 * 1024;
/** Longer than what computes keeps its arrays (RunnerScratch). */
const DELAY_MS = 2_000;

/**
 * Collects garbage once, when no large message has come or gone for a while: the engine does so when much is allocated
 * next, and a worker that waits, or has small calls only, allocates little.
 */
export class CollectionAfterLarge {
  readonly #collect: () => void;
  #due: NodeJS.Timeout | undefined;

  constructor(collect = garbageCollector()) {
    this.#collect = collect;
  }

  /** A message of so many bytes came or went. */
  note(sizeBytes: number): void {
    if (sizeBytes < LARGE_BYTES) return;
    if (this.#due !== undefined) this.#due.refresh();
    else
      this.#due = setTimeout(() => {
        this.#due = undefined;
        this.#collect();
      }, DELAY_MS).unref();
  }
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
