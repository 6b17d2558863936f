import { type Logger } from '../process/logger.js';
import { type KeyValueEntry, type KeyValueListener } from './control-plane.js';

interface Watch {
  readonly listener: KeyValueListener;
  /** It has been told what was there; from then on it hears every change. */
  isLive: boolean;
  hasBeenCurrent: boolean;
}

/**
 * A bucket as its watches have been told of it. Between `beginSync` and `endSync` comes all that is there now; what is
 * no different from before is told to nobody, and what did not come any more is told as deleted.
 */
export class WatchView {
  readonly #logger: Logger;
  readonly #entries = new Map<string, KeyValueEntry>();
  readonly #watches = new Set<Watch>();
  /** The keys that have come since `beginSync`; undefined outside of a sync. */
  #synced: Set<string> | undefined;
  #isCurrent = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get(key: string): KeyValueEntry | undefined {
    return this.#entries.get(key);
  }

  /** The listener is never called from within `watch`. What it throws is logged. */
  watch(listener: KeyValueListener): () => void {
    const watch: Watch = { listener, isLive: false, hasBeenCurrent: false };
    this.#watches.add(watch);
    queueMicrotask(() => {
      this.#catchUp(watch);
    });
    return () => {
      watch.isLive = false;
      this.#watches.delete(watch);
    };
  }

  beginSync(): void {
    this.#synced = new Set();
    this.#isCurrent = false;
  }

  put(entry: KeyValueEntry): void {
    this.#synced?.add(entry.key);
    const known = this.#entries.get(entry.key);
    this.#entries.set(entry.key, entry);
    // The server may give a revision again after a crash in which it lost writes.
    if (known?.revision === entry.revision && Buffer.compare(known.value, entry.value) === 0) return;
    this.#tellAll((listener) => listener.onEntry(entry));
  }

  delete(key: string): void {
    this.#synced?.delete(key);
    if (this.#entries.delete(key)) this.#tellAll((listener) => listener.onDelete(key));
  }

  endSync(): void {
    const synced = this.#synced;
    if (synced === undefined) return;
    for (const key of [...this.#entries.keys()]) if (!synced.has(key)) this.delete(key);
    this.#synced = undefined;
    this.#isCurrent = true;
    for (const watch of this.#watches) if (watch.isLive) this.#tellCurrent(watch);
  }

  #catchUp(watch: Watch): void {
    if (!this.#watches.has(watch)) return;
    watch.isLive = true;
    for (const entry of [...this.#entries.values()]) this.#tell(watch, (listener) => listener.onEntry(entry));
    if (this.#isCurrent) this.#tellCurrent(watch);
  }

  #tellCurrent(watch: Watch): void {
    if (watch.hasBeenCurrent) return;
    watch.hasBeenCurrent = true;
    this.#tell(watch, (listener) => listener.onCurrent?.());
  }

  #tellAll(tell: (listener: KeyValueListener) => void): void {
    for (const watch of this.#watches) this.#tell(watch, tell);
  }

  #tell(watch: Watch, tell: (listener: KeyValueListener) => void): void {
    if (!watch.isLive) return;
    try {
      tell(watch.listener);
    } catch (error) {
      this.#logger.error({ err: error }, 'a listener to the control plane has failed');
    }
  }
}
