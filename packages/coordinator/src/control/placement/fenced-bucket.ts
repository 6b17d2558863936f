import { type KeyValue } from '@expertmesh/shared/control-plane/control-plane';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** A write that found something else than it expected is tried again with what is there, so often. */
const MAX_ATTEMPTS = 4;

/**
 * Writes of one leader to a bucket. Each write names the revision that it replaces, so that what another leader has written in between
 * is found: one of a higher epoch ends this leader's office, anything else (a write of its own whose answer was lost, what a former leader
 * left) is replaced.
 */
export class FencedBucket {
  readonly #bucket: KeyValue;
  readonly #revisions = new Map<string, number>();
  #epoch: number | undefined;
  #highestEpoch = 0;

  constructor(bucket: KeyValue) {
    this.#bucket = bucket;
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

  leave(): void {
    this.#epoch = undefined;
  }

  /** @throws ExpertmeshError `failed_precondition` out of office, and when another leader was heard of. */
  requireEpoch(): number {
    if (this.#epoch === undefined)
      throw new ExpertmeshError('failed_precondition', 'this coordinator does not lead: ask the one that does');
    if (this.#highestEpoch > this.#epoch)
      throw new ExpertmeshError(
        'failed_precondition',
        `another coordinator leads under epoch ${String(this.#highestEpoch)}, this one did under epoch ${String(this.#epoch)}: ask the one that leads`,
      );
    return this.#epoch;
  }

  /** Whether the key was there when it was last heard of. */
  has(key: string): boolean {
    return this.#revisions.has(key);
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

  /** @throws ExpertmeshError `failed_precondition` out of office and when another leads; what the control plane throws while it is away. */
  async write(key: string, value: Uint8Array, epochOf: (value: Uint8Array) => number): Promise<void> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      this.requireEpoch();
      const revision = this.#revisions.get(key);
      const written = await (revision === undefined
        ? this.#bucket.create(key, value)
        : this.#bucket.update(key, value, revision));
      if (written !== undefined) {
        this.#revisions.set(key, written);
        return;
      }
      await this.#lookAgain(key, epochOf);
    }
    throw new ExpertmeshError('unavailable', `somebody else keeps writing ${key} of the control plane: try again`);
  }

  async #lookAgain(key: string, epochOf: (value: Uint8Array) => number): Promise<void> {
    const found = await this.#bucket.get(key);
    if (found === undefined) {
      this.#revisions.delete(key);
      return;
    }
    this.heardEpoch(epochOf(found.value));
    this.#revisions.set(key, found.revision);
  }
}
