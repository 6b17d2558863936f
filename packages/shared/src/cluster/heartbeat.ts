import { type ControlPlane, type KeyValue } from '../control-plane/control-plane.js';
import { type Logger } from '../process/logger.js';
import { systemClock, type Clock } from '../rpc/clock.js';

const DEFAULT_INTERVAL_MS = 1_000;

export interface HeartbeatOptions {
  readonly controlPlane: Pick<ControlPlane, 'state' | 'onState'>;
  readonly bucket: KeyValue;
  readonly key: string;
  /** The record to put; `heartbeat` grows with every call. */
  readonly record: (heartbeat: number) => Uint8Array;
  readonly logger: Logger;
  readonly intervalMs?: number;
  readonly clock?: Clock;
}

/**
 * Keeps the record of this process in the control plane: puts it every second and whenever the control plane comes
 * back.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #clock: Clock;
  readonly #stopListening: () => void;
  #cancelTimer: () => void = () => undefined;
  #numBeats = 0;
  #writing: Promise<void> | undefined;
  #isDue = false;
  #isClosed = false;

  /** Begins at once. */
  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#stopListening = options.controlPlane.onState((state) => {
      if (state === 'connected') this.beat();
    });
    this.beat();
  }

  /** Puts the record now, or as soon as the write under way has ended: something in it has changed. */
  beat(): void {
    if (this.#isClosed) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.after(this.#options.intervalMs ?? DEFAULT_INTERVAL_MS, () => this.beat());
    if (this.#options.controlPlane.state === 'away') return;
    this.#isDue = true;
    this.#writing ??= this.#writeWhileDue().finally(() => (this.#writing = undefined));
  }

  /** Takes the record away, so that nobody has to wait for this process to fall silent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isDue = false;
    this.#cancelTimer();
    this.#stopListening();
    await this.#writing;
    const { controlPlane, bucket, key, logger } = this.#options;
    if (controlPlane.state === 'away') return;
    await bucket.delete(key).catch((error: unknown) => {
      logger.warn({ err: error, key }, 'could not take the record out of the control plane');
    });
  }

  async #writeWhileDue(): Promise<void> {
    const { bucket, key, record, logger } = this.#options;
    while (this.#isDue) {
      this.#isDue = false;
      this.#numBeats += 1;
      try {
        await bucket.put(key, record(this.#numBeats));
      } catch (error) {
        // The next one is due within the interval anyway.
        logger.debug({ err: error, key }, 'could not put a heartbeat');
      }
    }
  }
}
