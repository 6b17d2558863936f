import { type CompiledConstraint } from '../../sampling/grammar/compile-constraint.js';

/** Constraints that may wait; the next one's first answer works out its masks itself. */
const MAX_WAITING = 32;

type Warmable = Pick<CompiledConstraint, 'warmUp'>;

/**
 * Works out the masks that answers begin with while their prompts are computed elsewhere: each constraint's once, and
 * of all together one piece a turn of the thread, so that steps wait for no more than that.
 */
export class WarmUps {
  readonly #known = new WeakSet<Warmable>();
  #waiting: Generator<void>[] = [];
  #isRunning = false;

  add(compiled: Warmable): void {
    if (this.#known.has(compiled) || this.#waiting.length >= MAX_WAITING) return;
    this.#known.add(compiled);
    this.#waiting.push(compiled.warmUp());
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(this.#next);
  }

  /** Nothing more is worked out. */
  close(): void {
    this.#waiting = [];
  }

  readonly #next = (): void => {
    const [first, ...others] = this.#waiting;
    this.#isRunning = first !== undefined;
    if (first === undefined) return;
    this.#waiting = isDone(first) ? others : [...others, first];
    setImmediate(this.#next);
  };
}

// What is found wrong with a grammar here is told by the answer that gets there, if one ever does.
function isDone(pieces: Generator<void>): boolean {
  try {
    return pieces.next().done === true;
  } catch {
    return true;
  }
}
