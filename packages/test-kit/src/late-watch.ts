import {
  type KeyValue,
  type KeyValueEntry,
  type KeyValueListener,
} from '@expertmesh/shared/control-plane/control-plane';

/**
 * A bucket of which one process hears late: calls are answered, and what watches would tell is held back for a while.
 */
export class LateWatch implements KeyValue {
  readonly #bucket: KeyValue;
  #held: (() => void)[] | undefined;

  constructor(bucket: KeyValue) {
    this.#bucket = bucket;
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const tell of held) tell();
  }

  get(key: string): Promise<KeyValueEntry | undefined> {
    return this.#bucket.get(key);
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return this.#bucket.put(key, value);
  }

  create(key: string, value: Uint8Array): Promise<number | undefined> {
    return this.#bucket.create(key, value);
  }

  update(key: string, value: Uint8Array, revision: number): Promise<number | undefined> {
    return this.#bucket.update(key, value, revision);
  }

  delete(key: string): Promise<void> {
    return this.#bucket.delete(key);
  }

  watch(listener: KeyValueListener): () => void {
    const tell = (call: () => void): void => {
      if (this.#held === undefined) call();
      else this.#held.push(call);
    };
    return this.#bucket.watch({
      onEntry: (entry) => {
        tell(() => {
          listener.onEntry(entry);
        });
      },
      onDelete: (key) => {
        tell(() => {
          listener.onDelete(key);
        });
      },
      onCurrent: () => {
        tell(() => listener.onCurrent?.());
      },
    });
  }
}
