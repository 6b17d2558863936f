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
    for (let index = from; index > 0;) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    for (let index = 0; ;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2])
        if (child < this.#heap.length && this.#isBefore(child, least)) least = child;
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [first, second] = [this.#heap[a], this.#heap[b]];
    if (first === undefined || second === undefined) return false;
    return first.atMs === second.atMs ? first.order < second.order : first.atMs < second.atMs;
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]];
    if (first === undefined || second === undefined) return;
    this.#heap[a] = second;
    this.#heap[b] = first;
  }
}
