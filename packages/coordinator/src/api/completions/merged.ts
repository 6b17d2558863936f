/**
 * What several sources give, in the order in which it comes. A source makes its next value when the one before has been
 * taken. When one fails, so does the whole. Whoever leaves ends those that wait; a source that is making a value ends
 * by a signal of its own.
 */
export async function* merged<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T, void, void> {
  const meeting = new Meeting<T>();
  for (const source of sources) void pump(source, meeting);
  let numOpen = sources.length;
  try {
    while (numOpen > 0)
      for (const offer of await meeting.offers()) {
        if (offer.kind === 'failure') throw offer.thrown;
        if (offer.kind === 'end') numOpen--;
        else {
          yield offer.value;
          offer.taken();
        }
      }
  } finally {
    meeting.leave();
  }
}

type Offer<T> =
  | { readonly kind: 'value'; readonly value: T; readonly taken: () => void }
  | { readonly kind: 'end' }
  | { readonly kind: 'failure'; readonly thrown: unknown };

/** Where sources offer what they have to whoever takes it. */
class Meeting<T> {
  readonly #offers: Offer<T>[] = [];
  readonly #waiting = new Set<() => void>();
  #wake = (): void => undefined;
  #hasLeft = false;

  /** Resolves when the value has been taken, with whether more is wanted. */
  async offerValue(value: T): Promise<boolean> {
    if (this.#hasLeft) return false;
    await new Promise<void>((resolve) => {
      const taken = (): void => {
        this.#waiting.delete(taken);
        resolve();
      };
      this.#waiting.add(taken);
      this.offer({ kind: 'value', value, taken });
    });
    return !this.#hasLeft;
  }

  offer(offer: Offer<T>): void {
    this.#offers.push(offer);
    this.#wake();
  }

  /** At least one. */
  async offers(): Promise<readonly Offer<T>[]> {
    if (this.#offers.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#offers.splice(0);
  }

  leave(): void {
    this.#hasLeft = true;
    for (const taken of this.#waiting) taken();
  }
}

async function pump<T>(source: AsyncIterable<T>, meeting: Meeting<T>): Promise<void> {
  try {
    for await (const value of source) if (!(await meeting.offerValue(value))) break;
    meeting.offer({ kind: 'end' });
  } catch (thrown) {
    meeting.offer({ kind: 'failure', thrown });
  }
}
