/**
 * Values from a producer that never waits to one consumer that iterates. Its owner bounds it: a sequence has at most
 * max_tokens outputs.
 */
export class OutputQueue<T> implements AsyncIterable<T> {
  readonly #values: T[] = [];
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  push(value: T): void {
    this.#values.push(value);
    this.#wake();
  }

  /** The consumer gets this error after the values that are there already; the first error counts. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, never> {
    for (;;) {
      const value = this.#values.shift();
      if (value !== undefined) yield value;
      else if (this.#error !== undefined) throw this.#error;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
