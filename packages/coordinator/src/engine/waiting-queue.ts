import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { bySequenceRank, type Sequence } from './sequence.js';
import { priorityOf, tenantOf } from './submission.js';
import { type TenantShares } from './tenant-shares.js';

/** What may wait; the next one is refused. */
export interface QueueBounds {
  readonly maxSequences: number;
  readonly maxTokens: number;
}

/**
 * Who waits for a place. Lower numbers of priority come first; among equals those that have had a place already, then
 * the tenant that was given least, then the oldest. Nobody overtakes who is first, so a large one is not starved by
 * small ones.
 */
export class WaitingQueue {
  readonly #bounds: QueueBounds;
  readonly #shares: TenantShares;
  /** In the order of their arrival. */
  #arrived: Sequence[] = [];
  /** They had a place and gave it up. */
  #preempted: Sequence[] = [];
  #numTokens = 0;

  constructor(bounds: QueueBounds, shares: TenantShares) {
    this.#bounds = bounds;
    this.#shares = shares;
  }

  get size(): number {
    return this.#arrived.length + this.#preempted.length;
  }

  all(): readonly Sequence[] {
    return [...this.#preempted, ...this.#arrived];
  }

  /** @throws ExpertmeshError `resource_exhausted` when the queue is full, by sequences or by the tokens of prompts. */
  push(sequence: Sequence): void {
    const { maxSequences, maxTokens } = this.#bounds;
    if (this.#arrived.length >= maxSequences) refuse(`${String(maxSequences)} sequences are waiting already`);
    if (this.#arrived.length > 0 && this.#numTokens + sequence.numTokens > maxTokens)
      refuse(
        `prompts of ${String(this.#numTokens)} tokens are waiting already, with this one of ` +
          `${String(sequence.numTokens)} they would be more than ${String(maxTokens)}`,
      );
    this.#arrived.push(sequence);
    this.#numTokens += sequence.numTokens;
  }

  /** For a sequence that gives up its place: it is the first of its priority, behind none but older ones like it. */
  pushBack(sequence: Sequence): void {
    this.#preempted.push(sequence);
    this.#preempted.sort(bySequenceRank);
  }

  /** Whose turn it is. */
  first(): Sequence | undefined {
    const [preempted] = this.#preempted;
    const arrived = this.#firstArrived();
    if (preempted === undefined || arrived === undefined) return preempted ?? arrived;
    return priorityOf(preempted.submission) <= priorityOf(arrived.submission) ? preempted : arrived;
  }

  remove(sequence: Sequence): void {
    if (this.#arrived.includes(sequence)) this.#numTokens -= sequence.numTokens;
    this.#arrived = this.#arrived.filter((other) => other !== sequence);
    this.#preempted = this.#preempted.filter((other) => other !== sequence);
  }

  #firstArrived(): Sequence | undefined {
    let first: Sequence | undefined;
    for (const sequence of this.#arrived) if (first === undefined || this.#isBefore(sequence, first)) first = sequence;
    return first;
  }

  #isBefore({ submission: a }: Sequence, { submission: b }: Sequence): boolean {
    if (priorityOf(a) !== priorityOf(b)) return priorityOf(a) < priorityOf(b);
    return this.#shares.given(tenantOf(a)) < this.#shares.given(tenantOf(b));
  }
}

function refuse(reason: string): never {
  throw new ExpertmeshError('resource_exhausted', `${reason}; try again later`);
}
