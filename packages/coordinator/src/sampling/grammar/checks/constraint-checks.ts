import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ThreadClient } from '@expertmesh/shared/threads/thread-client';
import { type Constraint } from '../constraint.js';
import { type ConstraintContract } from './constraint-contract.js';

/** @throws ExpertmeshError as checkConstraint. */
export type CheckConstraint = (constraint: Constraint) => Promise<void>;

/** What has not been checked by then is refused. The largest that grammars may be need less than a second. */
const CHECK_TIMEOUT_MS = 10_000;
const MAX_WAITING = 64;

/** Constraints that were found right: clients send the same ones again. */
const MAX_KNOWN = 256;
const MAX_KNOWN_CHARS = 16 * 1024;

/**
 * Checks constraints in a thread of its own, one after the other: a few lines of a schema may ask for a grammar that
 * takes a second. The thread starts with the first constraint, and one that has ended is replaced when the next comes.
 */
export class ConstraintChecks {
  readonly #known = new Set<string>();
  #thread: ThreadClient<ConstraintContract> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #numWaiting = 0;

  /**
   * @throws ExpertmeshError as checkConstraint; `invalid_argument` too for what takes too long to check, and
   * `resource_exhausted` where too many wait.
   */
  readonly check: CheckConstraint = async (constraint) => {
    const key = JSON.stringify(constraint);
    if (this.#known.has(key)) return;
    if (this.#numWaiting >= MAX_WAITING)
      throw new ExpertmeshError(
        'resource_exhausted',
        `${String(MAX_WAITING)} constraints wait to be checked: send this one again later`,
      );
    this.#numWaiting += 1;
    const checked = this.#last.then(() => this.#checkNow(constraint));
    this.#last = checked.catch(() => undefined);
    try {
      await checked;
      this.#remember(key);
    } finally {
      this.#numWaiting -= 1;
    }
  };

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  async #checkNow(constraint: Constraint): Promise<void> {
    const thread = await this.#started();
    await thread.requestOrEnd('check', constraint, {
      interrupt: AbortSignal.timeout(CHECK_TIMEOUT_MS),
      cancelled: () =>
        new ExpertmeshError(
          'invalid_argument',
          `whether answers can be held to it was not found within ${String(CHECK_TIMEOUT_MS / 1000)} s: ` +
            'use a smaller one',
        ),
    });
  }

  async #started(): Promise<ThreadClient<ConstraintContract>> {
    if (this.#thread !== undefined && this.#thread.endedBy === undefined) return this.#thread;
    const { thread } = await ThreadClient.start<ConstraintContract>({
      name: 'the thread that checks constraints',
      entry: new URL('./constraint-thread.js', import.meta.url),
      data: undefined,
      on: {},
    });
    this.#thread = thread;
    return thread;
  }

  #remember(key: string): void {
    if (key.length > MAX_KNOWN_CHARS) return;
    this.#known.add(key);
    for (const oldest of this.#known) if (this.#known.size > MAX_KNOWN) this.#known.delete(oldest);
  }
}
