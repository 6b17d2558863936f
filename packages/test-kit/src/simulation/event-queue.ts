export interface SimulatedEvent {
  readonly atMs: number;
  readonly run: () => void;
}

interface QueuedEvent extends SimulatedEvent {
  readonly order: number;
  isTakenBack: boolean;
}

/** Events by their time, and those of the same time in the order in which they were added: a binary heap. */
export class EventQueue {
  readonly #heap: QueuedEvent[] = [];
  #numAdded = 0;

  /** The returned function takes the event back. */
  add(atMs: number, run: () => void): () => void {
    const event: QueuedEvent = { atMs, run, order: this.#numAdded++, isTakenBack: false };
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
    return () => {
      event.isTakenBack = true;
    };
  }

  /** Takes the next event out; undefined where none is due until then. */
  next(untilMs: number): SimulatedEvent | undefined {
    for (let [first] = this.#heap; first !== undefined; [first] = this.#heap) {
      if (!first.isTakenBack && first.atMs > untilMs) return undefined;
      this.#removeFirst();
      if (!first.isTakenBack) return first;
    }
    return undefined;
  }

  #rise(from: number): void {
    const event = this.#at(from);
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#at(parent);
      if (!isBefore(event, above)) break;
      this.#heap[index] = above;
      index = parent;
    }
    this.#heap[index] = event;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
  }

  /** From the top, whose event is taken out. */
  #sink(event: QueuedEvent): void {
    const { length } = this.#heap;
    let index = 0;
    for (let child = 1; child < length; child = 2 * index + 1) {
      if (child + 1 < length && isBefore(this.#at(child + 1), this.#at(child))) child += 1;
      const below = this.#at(child);
      if (!isBefore(below, event)) break;
      this.#heap[index] = below;
      index = child;
    }
    this.#heap[index] = event;
  }

  #at(index: number): QueuedEvent {
    const event = this.#heap[index];
    if (event === undefined) throw new RangeError(`${String(index)} is beyond the queue`);
    return event;
  }
}

const isBefore = (a: QueuedEvent, b: QueuedEvent): boolean => (a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs);
