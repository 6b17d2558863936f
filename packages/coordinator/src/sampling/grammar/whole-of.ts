/** The result of a work that can be drawn in pieces, all of them at once. */
export function wholeOf<T>(pieces: Generator<void, T>): T {
  for (;;) {
    const { done, value } = pieces.next();
    if (done === true) return value;
  }
}
