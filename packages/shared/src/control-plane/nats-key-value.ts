import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Logger } from '../process/logger.js';
import { type Clock } from '../rpc/clock.js';
import { type KeyValue, type KeyValueEntry, type KeyValueListener } from './control-plane.js';
import { withDeadline } from './deadline.js';
import { decodeKey, encodeKey } from './key-encoding.js';
import { checkKey, checkValue } from './key-value-limits.js';
import { type NatsBucketCalls, type NatsChange } from './nats-connection.js';
import { WatchView } from './watch-view.js';

/** The client has the same, and does not keep it in all cases. */
const CALL_TIMEOUT_MS = 2_500;
/**
 * Markers of deletions are of no use to anybody after this; the clocks of servers and processes may differ by as much.
 */
const MARKER_LIFE_MS = 3_600_000;
/** Revisions of a bucket that was made anew begin again from 1: this much is added for every time that it was. */
const REVISIONS_PER_BUCKET = 2 ** 42;

/** One connection's bucket. */
interface Attachment {
  readonly bucket: NatsBucketCalls;
  /** Aborts when the connection is over. */
  readonly signal: AbortSignal;
  readonly onBroken: (reason: string) => void;
  /** The last revision that is known not to be missed; undefined while nothing is watched. */
  watchedRevision: number | undefined;
  /** What the server said of it at the last check. */
  lastRevision: number;
  readonly markers: Map<string, NatsChange>;
}

/** A bucket over whatever connection there is at the time. */
export class NatsKeyValue implements KeyValue {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #view: WatchView;
  #attachment: Attachment | undefined;
  #isOpen = false;
  #hasWatches = false;
  #created: string | undefined;
  #firstRevision = 0;

  constructor(name: string, logger: Logger, clock: Clock) {
    this.#name = name;
    this.#clock = clock;
    this.#view = new WatchView(logger);
  }

  /** Resolves when all watches have caught up over the connection of `bucket`; then `open`. */
  async attach(bucket: NatsBucketCalls, signal: AbortSignal, onBroken: (reason: string) => void): Promise<void> {
    const { created, lastRevision } = await withDeadline(bucket.info(), CALL_TIMEOUT_MS, signal, this.#clock);
    if (this.#created !== undefined && this.#created !== created) this.#firstRevision += REVISIONS_PER_BUCKET;
    this.#created = created;
    const markers = new Map<string, NatsChange>();
    this.#attachment = { bucket, signal, onBroken, watchedRevision: undefined, lastRevision, markers };
    if (this.#hasWatches) await this.#follow(this.#attachment);
  }

  open(): void {
    this.#isOpen = true;
    this.#followLate();
  }

  detach(): void {
    this.#isOpen = false;
    this.#attachment = undefined;
  }

  async get(key: string): Promise<KeyValueEntry | undefined> {
    const entry = await this.#call('read', key, (bucket) => bucket.get(encodeKey(key)));
    return entry && { key, value: entry.value, revision: this.#firstRevision + entry.revision };
  }

  async put(key: string, value: Uint8Array): Promise<number> {
    checkValue(key, value);
    return this.#firstRevision + (await this.#call('write', key, (bucket) => bucket.put(encodeKey(key), value)));
  }

  async create(key: string, value: Uint8Array): Promise<number | undefined> {
    checkValue(key, value);
    return this.#ownRevision(await this.#call('create', key, (bucket) => bucket.create(encodeKey(key), value)));
  }

  async update(key: string, value: Uint8Array, revision: number): Promise<number | undefined> {
    checkValue(key, value);
    const update = async (bucket: NatsBucketCalls): Promise<number | undefined> => {
      const bucketRevision = revision - this.#firstRevision;
      // It was written before the server lost its store.
      if (bucketRevision < 1) return undefined;
      return bucket.update(encodeKey(key), value, bucketRevision);
    };
    return this.#ownRevision(await this.#call('write', key, update));
  }

  async delete(key: string): Promise<void> {
    await this.#call('delete', key, (bucket) => bucket.delete(encodeKey(key)));
  }

  watch(listener: KeyValueListener): () => void {
    this.#hasWatches = true;
    const stop = this.#view.watch(listener);
    this.#followLate();
    return stop;
  }

  /**
   * To be called regularly: finds watches that have died, and clears away what deletions have left.
   *
   * @throws when the watch missed something, or the bucket is another one or gone.
   */
  async check(): Promise<void> {
    const attachment = this.#attachment;
    if (attachment === undefined) return;
    const { bucket, signal, watchedRevision, lastRevision, markers } = attachment;
    if (watchedRevision !== undefined && watchedRevision < lastRevision)
      throw new ExpertmeshError('unavailable', `the watch of ${this.#name} has fallen silent`);
    const info = await withDeadline(bucket.info(), CALL_TIMEOUT_MS, signal, this.#clock);
    if (info.created !== this.#created)
      throw new ExpertmeshError('unavailable', `the bucket ${this.#name} has been made anew`);
    attachment.lastRevision = info.lastRevision;
    for (const marker of [...markers.values()].filter(({ createdMs }) => createdMs < Date.now() - MARKER_LIFE_MS)) {
      await withDeadline(bucket.removeMarker(marker), CALL_TIMEOUT_MS, signal, this.#clock);
      markers.delete(marker.key);
    }
  }

  /** For watches that have begun since the connection was attached. */
  #followLate(): void {
    const attachment = this.#attachment;
    if (!this.#isOpen || !this.#hasWatches || attachment === undefined || attachment.watchedRevision !== undefined)
      return;
    this.#follow(attachment).catch((error: unknown) => {
      attachment.onBroken(ExpertmeshError.from(error).message);
    });
  }

  async #follow(attachment: Attachment): Promise<void> {
    const { bucket, signal, onBroken } = attachment;
    attachment.watchedRevision = attachment.lastRevision;
    this.#view.beginSync();
    const isOver = (): boolean => this.#attachment !== attachment;
    const current = new Promise<void>((resolve) => {
      const onCurrent = (): void => {
        if (!isOver()) this.#view.endSync();
        resolve();
      };
      const onChange = (change: NatsChange): void => {
        if (!isOver()) this.#hear(attachment, change);
      };
      bucket.watch(onChange, onCurrent, onBroken).catch((error: unknown) => {
        onBroken(ExpertmeshError.from(error).message);
      });
    });
    await withDeadline(current, CALL_TIMEOUT_MS, signal, this.#clock);
  }

  #hear(attachment: Attachment, change: NatsChange): void {
    attachment.watchedRevision = Math.max(attachment.watchedRevision ?? 0, change.revision);
    if (change.value === undefined) attachment.markers.set(change.key, change);
    else attachment.markers.delete(change.key);
    const key = decodeKey(change.key);
    if (key === undefined) return;
    if (change.value === undefined) this.#view.delete(key);
    else this.#view.put({ key, value: change.value, revision: this.#firstRevision + change.revision });
  }

  #ownRevision(bucketRevision: number | undefined): number | undefined {
    return bucketRevision === undefined ? undefined : this.#firstRevision + bucketRevision;
  }

  async #call<T>(verb: string, key: string, run: (bucket: NatsBucketCalls) => Promise<T>): Promise<T> {
    checkKey(key);
    const attachment = this.#attachment;
    if (attachment === undefined || !this.#isOpen)
      throw new ExpertmeshError('unavailable', `cannot ${verb} ${key}: the control plane (NATS) is away`);
    try {
      return await withDeadline(run(attachment.bucket), CALL_TIMEOUT_MS, attachment.signal, this.#clock);
    } catch (cause) {
      const reason = ExpertmeshError.from(cause).message;
      attachment.onBroken(reason);
      throw new ExpertmeshError('unavailable', `could not ${verb} ${key} in the control plane (NATS): ${reason}`, {
        cause,
      });
    }
  }
}
