import { type KeyValue } from '@expertmesh/shared/control-plane/control-plane';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** A write that found something else than it expected is tried again with what is there, so often. */
const MAX_ATTEMPTS = 4;

/** How to change what a key has. */
export interface KeyChange {
  /** Takes in what is there. */
  readonly learn: (found: Uint8Array) => Promise<void>;
  /** What is to be there instead, by what was learnt; undefined to leave it. */
  readonly next: () => Uint8Array | undefined;
}

/**
 * Writes of one leader to a bucket, one at a time. Each write names the revision that it replaces, so that what another
 * leader has written in between is found: one of a higher epoch ends this leader's office.
 */
export class FencedBucket {
  readonly #bucket: KeyValue;
  readonly #epochOf: (key: string, value: Uint8Array) => number;
  readonly #revisions = new Map<string, number>();
  /** Keys of which nobody knows whether the control plane has kept what was written last. */
  #doubted = new Set<string>();
  #epoch: number | undefined;
  #highestEpoch = 0;

  /** @param epochOf of the leader that wrote a value; 0 for a broken one */
  constructor(bucket: KeyValue, epochOf: (key: string, value: Uint8Array) => number) {
    this.#bucket = bucket;
    this.#epochOf = epochOf;
  }

  /** Notes the epoch of something that was written: nothing is written under a lower one from now on. */
  heardEpoch(epoch: number): void {
    this.#highestEpoch = Math.max(this.#highestEpoch, epoch);
  }

  get highestEpoch(): number {
    return this.#highestEpoch;
  }

  enter(epoch: number): void {
    this.#epoch = epoch;
  }

  /** @param epoch of the office to leave, when it may be another one by now */
  leave(epoch = this.#epoch): void {
    if (this.#epoch === epoch) this.#epoch = undefined;
  }

  /** @throws ExpertmeshError `failed_precondition` out of office, and when another leader was heard of. */
  requireEpoch(): number {
    if (this.#epoch === undefined)
      throw new ExpertmeshError('failed_precondition', 'this coordinator does not lead: ask the one that does');
    if (this.#highestEpoch > this.#epoch)
      throw new ExpertmeshError(
        'failed_precondition',
        `another coordinator leads under epoch ${String(this.#highestEpoch)}, ` +
          `this one did under epoch ${String(this.#epoch)}: ask the one that leads`,
      );
    return this.#epoch;
  }

  /** The keys that were there when they were last heard of. */
  get keys(): string[] {
    return [...this.#revisions.keys()];
  }

  has(key: string): boolean {
    return this.#revisions.has(key) && !this.#doubted.has(key);
  }

  /**
   * The control plane was away, and may have lost writes that it had acknowledged: what its watch tells then looks like
   * an echo of an earlier write, or is nothing new to the watch.
   */
  doubt(): void {
    this.#doubted = new Set(this.#revisions.keys());
  }

  /**
   * Notes what a watch has told.
   *
   * @returns false for an echo of an own write: its value is known, and may be older than the newest one.
   */
  hear(key: string, revision: number): boolean {
    const known = this.#revisions.get(key);
    if (this.#epoch !== undefined && known !== undefined && revision <= known) return false;
    this.#revisions.set(key, revision);
    return true;
  }

  forget(key: string): void {
    this.#revisions.delete(key);
  }

  /**
   * Replaces whatever is there: a write of its own whose answer was lost, or what a former leader left.
   *
   * @param epoch the office in which this was decided
   * @throws ExpertmeshError `failed_precondition` out of that office and when another leads; what the control plane
   * throws while it is away.
   */
  async write(key: string, value: Uint8Array, epoch: number): Promise<void> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      if (await this.#tryWrite(key, value, this.#revisions.get(key), epoch)) return;
      await this.#look(key);
    }
    throw keepsWriting(key);
  }

  /** Replaces what is there unless it is this already. Errors as write. */
  async putBack(key: string, value: Uint8Array, epoch: number): Promise<void> {
    const found = await this.#look(key);
    if (found === undefined || Buffer.compare(found.value, value) !== 0) await this.write(key, value, epoch);
    this.#doubted.delete(key);
  }

  /**
   * Changes what is there now, which may be more than the watch has told. Errors as write.
   *
   * @returns what was written.
   */
  async change(key: string, { learn, next }: KeyChange, epoch: number): Promise<Uint8Array | undefined> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const found = await this.#look(key);
      if (found !== undefined) await learn(found.value);
      const value = next();
      if (value === undefined || (await this.#tryWrite(key, value, found?.revision, epoch))) return value;
    }
    throw keepsWriting(key);
  }

  /** Errors as write. */
  async delete(key: string, epoch: number): Promise<void> {
    this.#requireOffice(epoch);
    await this.#bucket.delete(key);
    this.forget(key);
  }

  async #tryWrite(key: string, value: Uint8Array, revision: number | undefined, epoch: number): Promise<boolean> {
    this.#requireOffice(epoch);
    const written = await (revision === undefined
      ? this.#bucket.create(key, value)
      : this.#bucket.update(key, value, revision));
    if (written !== undefined) this.#revisions.set(key, written);
    return written !== undefined;
  }

  #requireOffice(epoch: number): void {
    const current = this.requireEpoch();
    if (current === epoch) return;
    throw new ExpertmeshError(
      'failed_precondition',
      `this was decided under epoch ${String(epoch)}, and this coordinator leads under epoch ${String(current)} ` +
        'by now: try again',
    );
  }

  async #look(key: string): Promise<{ readonly value: Uint8Array; readonly revision: number } | undefined> {
    const found = await this.#bucket.get(key);
    if (found === undefined) {
      this.#revisions.delete(key);
      return undefined;
    }
    this.heardEpoch(this.#epochOf(key, found.value));
    // What deposes this leader is no write of its own: it is news when the watch tells of it.
    if (this.#highestEpoch <= (this.#epoch ?? 0)) this.#revisions.set(key, found.revision);
    return found;
  }
}

const keepsWriting = (key: string): ExpertmeshError =>
  new ExpertmeshError('unavailable', `somebody else keeps writing ${key} of the control plane: try again`);
