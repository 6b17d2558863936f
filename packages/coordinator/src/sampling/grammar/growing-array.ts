type TypedArray = Uint8Array | Uint16Array | Int32Array;

/** A typed array that numbers are added to. */
export class GrowingArray<A extends TypedArray> {
  readonly #make: (size: number) => A;
  #values: A;
  #length = 0;

  constructor(make: (size: number) => A) {
    this.#make = make;
    this.#values = make(64);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = this.#make(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  /** A copy of just what was added. */
  take(): A {
    return this.#values.slice(0, this.#length) as A;
  }
}
