import { type PartOutcome } from './combine.js';
import { type PartCall, type PartCaller } from './part-caller.js';

/** Knows the calls that are in flight. */
export class PartsUnderWay implements PartCaller {
  readonly #parts: PartCaller;
  readonly #underWay = new Set<Promise<PartOutcome>>();

  constructor(parts: PartCaller) {
    this.#parts = parts;
  }

  call(call: PartCall): Promise<PartOutcome> {
    const called = this.#parts.call(call).finally(() => this.#underWay.delete(called));
    this.#underWay.add(called);
    return called;
  }

  get isEmpty(): boolean {
    return this.#underWay.size === 0;
  }

  /** Resolves when those that are in flight now have ended, however. */
  async ended(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }
}
