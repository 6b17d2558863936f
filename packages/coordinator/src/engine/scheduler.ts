import { type BlockPool } from '../kv/block-pool.js';
import { hasRoomFor } from './admission.js';
import { bySequenceRank, type Sequence } from './sequence.js';
import { promptShares, type StepShare } from './step-shares.js';
import { priorityOf, tenantOf } from './submission.js';
import { TenantShares } from './tenant-shares.js';
import { WaitingQueue, type QueueBounds } from './waiting-queue.js';

export interface SchedulerOptions {
  readonly pool: BlockPool;
  readonly maxNumSeqs: number;
  readonly queue: QueueBounds;
  /** Blocks that others have computed are taken over. */
  readonly reusesPrefixes: boolean;
}

/**
 * Who runs and who waits, and what each computes next. What it decides depends on nothing but what it was told. Its
 * methods change block tables, so none may be called while a step is under way, except where it says so.
 */
export class Scheduler {
  readonly shares = new TenantShares();
  readonly waiting: WaitingQueue;
  readonly #options: SchedulerOptions;
  /** In the order of their rank. */
  #running: Sequence[] = [];
  #counters = { numPreemptions: 0, numPrefixQueryTokens: 0, numCachedPromptTokens: 0 };

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.waiting = new WaitingQueue(options.queue, this.shares);
  }

  get running(): readonly Sequence[] {
    return this.#running;
  }

  get counters() {
    return this.#counters;
  }

  isRunning(sequence: Sequence): boolean {
    return this.#running.includes(sequence);
  }

  /**
   * A new sequence waits for its place; also during a step.
   *
   * @throws ExpertmeshError `resource_exhausted` when too many are waiting.
   */
  enqueue(sequence: Sequence): void {
    const tenant = tenantOf(sequence.submission);
    const others = new Set(this.all().map(({ submission }) => tenantOf(submission)));
    this.waiting.push(sequence);
    if (!others.has(tenant)) this.shares.join(tenant, others);
  }

  /** Takes a sequence out, wherever it is, with its blocks; also during a step. */
  remove(sequence: Sequence): void {
    this.waiting.remove(sequence);
    this.#running = this.#running.filter((other) => other !== sequence);
  }

  sequencesOf(id: number): Sequence[] {
    return this.all().filter(({ submission }) => submission.id === id);
  }

  all(): Sequence[] {
    return [...this.#running, ...this.waiting.all()];
  }

  /** Lets sequences start while there are places and blocks; who has a higher priority makes others give theirs up. */
  admit(): Sequence[] {
    const started: Sequence[] = [];
    for (let first = this.waiting.first(); first !== undefined; first = this.waiting.first()) {
      if (this.#hasPlaceFor(first)) {
        this.#start(first);
        started.push(first);
        continue;
      }
      const last = this.#running.at(-1);
      if (last === undefined || priorityOf(last.submission) <= priorityOf(first.submission)) break;
      this.preempt(last);
    }
    return started.filter((sequence) => this.isRunning(sequence));
  }

  /** Another answer to a prompt that runs; where there is no place it waits for one. */
  addFork(fork: Sequence): void {
    if (this.#running.length < this.#options.maxNumSeqs) {
      this.#running.push(fork);
      this.#running.sort(bySequenceRank);
    } else {
      fork.release();
      this.waiting.pushBack(fork);
    }
  }

  /** Takes over what others have computed of running prompts in the meantime. */
  adoptKnown(): void {
    for (const sequence of this.#running)
      if (sequence.restoring === undefined && !isDecoding(sequence)) this.#adopt(sequence);
  }

  /**
   * The sequences that compute their last token in the coming step, each with room for it. One that finds no room, and
   * nobody after it who could give way, stays where it is until there is.
   */
  decoding(): Sequence[] {
    const ready: Sequence[] = [];
    for (const sequence of this.#running) {
      if (sequence.restoring !== undefined || !isDecoding(sequence)) continue;
      if (this.isRunning(sequence) && this.#makeRoom(sequence, 1)) ready.push(sequence);
    }
    return ready;
  }

  get hasPrompts(): boolean {
    return this.#running.some((sequence) => sequence.restoring === undefined && !isDecoding(sequence));
  }

  /** Divides prompt tokens among the prompts; each share has room. Sequences that decode may give theirs up for it. */
  prompts(numTokens: number): StepShare<Sequence>[] {
    const { pool } = this.#options;
    const candidates = this.#withoutFollowers(this.#running.filter(({ restoring }) => restoring === undefined));
    const shares = promptShares(candidates, numTokens).sort((a, b) => bySequenceRank(a.sequence, b.sequence));
    const ready: StepShare<Sequence>[] = [];
    for (const { sequence, numTokens: most } of shares) {
      if (!this.isRunning(sequence)) continue;
      const granted = this.#makeRoom(sequence, most)
        ? most
        : Math.min(most, sequence.table.roomWith(pool.numAvailable));
      if (granted > 0 && sequence.table.reserve(granted)) ready.push({ sequence, numTokens: granted });
    }
    return ready;
  }

  /** It gives its blocks back and goes on later with the same tokens, which are computed again. */
  preempt(sequence: Sequence): void {
    this.#running = this.#running.filter((other) => other !== sequence);
    sequence.release();
    // What it had counts anew when it comes back, so that no prompt has more cached tokens than tokens.
    if (sequence.numSampled === 0) sequence.submission.numCachedTokens = 0;
    this.waiting.pushBack(sequence);
    this.#counters.numPreemptions += 1;
  }

  /** So many tokens of a sequence were there already. */
  noteCached(sequence: Sequence, numTokens: number): void {
    if (sequence.numSampled > 0) return;
    sequence.submission.numCachedTokens += numTokens;
    this.#counters.numCachedPromptTokens += numTokens;
  }

  #start(sequence: Sequence): void {
    const { submission, numTokens, numSampled } = sequence;
    this.waiting.remove(sequence);
    this.#running.push(sequence);
    this.#running.sort(bySequenceRank);
    if (numSampled === 0 && this.#options.reusesPrefixes) this.#counters.numPrefixQueryTokens += numTokens;
    this.#adopt(sequence);
    if (numSampled === 0) this.shares.chargePrompt(tenantOf(submission), numTokens - sequence.numComputed);
  }

  #hasPlaceFor(sequence: Sequence): boolean {
    const { maxNumSeqs, pool } = this.#options;
    return this.#running.length < maxNumSeqs && hasRoomFor(sequence, this.#running, pool);
  }

  #adopt(sequence: Sequence): void {
    if (this.#options.reusesPrefixes) this.noteCached(sequence, sequence.adopt(this.#options.pool));
  }

  // The last in rank gives way, but never to one that comes after it.
  #makeRoom(sequence: Sequence, numTokens: number): boolean {
    while (!sequence.table.reserve(numTokens)) {
      const last = this.#running.at(-1);
      if (last === undefined || last === sequence) return false;
      this.preempt(last);
    }
    return true;
  }

  // Of prompts that have the same block to compute, the first computes it, and the others take it over.
  #withoutFollowers(sequences: readonly Sequence[]): Sequence[] {
    if (!this.#options.reusesPrefixes) return [...sequences];
    const claimed = new Set<string>();
    return sequences.filter((sequence) => {
      if (isDecoding(sequence) || sequence.needsAllRows) return true;
      const hash = sequence.nextBlockHash();
      if (hash === undefined) return true;
      if (claimed.has(hash) && sequence.isAtBlockBorder) return false;
      claimed.add(hash);
      return true;
    });
  }
}

/** All its tokens but the last are computed. */
function isDecoding({ numTokens, numComputed }: Sequence): boolean {
  return numTokens - numComputed === 1;
}
