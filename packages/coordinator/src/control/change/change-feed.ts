import { ChangeProgress, ChangeProgress_State } from '@expertmesh/shared/gen/expertmesh/v1/admin';

const { STATE_DONE, STATE_NOT_NEEDED, STATE_ROLLED_BACK } = ChangeProgress_State;

/** The progress of one change, told to whoever follows it; a slow follower misses steps, never the last one. */
export class ChangeFeed {
  #latest: ChangeProgress;
  #waiting: (() => void)[] = [];
  #error: Error | undefined;

  constructor(first: ChangeProgress) {
    this.#latest = first;
  }

  get latest(): ChangeProgress {
    return this.#latest;
  }

  get isOver(): boolean {
    return this.#error !== undefined || this.hasSucceeded || this.wasTakenBack;
  }

  /** Whether what was wanted is in force. */
  get hasSucceeded(): boolean {
    return this.#latest.state === STATE_DONE || this.#latest.state === STATE_NOT_NEEDED;
  }

  get wasTakenBack(): boolean {
    return this.#latest.state === STATE_ROLLED_BACK;
  }

  tell(change: Partial<ChangeProgress>): void {
    this.#latest = ChangeProgress.fromPartial({ ...this.#latest, ...change });
    this.#wake();
  }

  /** Ends without an outcome: this coordinator leads no longer, and another one goes on. */
  fail(error: Error): void {
    this.#error = error;
    this.#wake();
  }

  /** From the newest message on; leaving the loop does not stop the change. Throws what the feed fails with. */
  async *follow(): AsyncGenerator<ChangeProgress, void, undefined> {
    for (let told: ChangeProgress | undefined; ;) {
      if (this.#latest !== told) yield (told = this.#latest);
      else if (this.#error !== undefined) throw this.#error;
      else if (this.isOver) return;
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
