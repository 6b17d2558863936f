import { type NatsChange } from '@expertmesh/shared/control-plane/nats-connection';

interface UndoneWrite {
  readonly key: string;
  readonly before: NatsChange | undefined;
  readonly lastRevision: number;
}

/** Writes that may be undone: more than are made in the two minutes after which a server brings them to its disk. */
const MAX_UNDO = 64;
/** Markers of deletions are never old here. */
const NEVER_OLD_MS = Infinity;

/** A JetStream key-value bucket with a history of one, and what a server can lose of it. */
export class SimulatedBucket {
  /** Another one after the server has lost its store. */
  readonly created: string;
  readonly #entries = new Map<string, NatsChange>();
  readonly #watchers = new Set<(change: NatsChange) => void>();
  #undo: UndoneWrite[] = [];
  #lastRevision = 0;

  constructor(created: string) {
    this.created = created;
  }

  get lastRevision(): number {
    return this.#lastRevision;
  }

  /** In the order in which they were written, markers of deletions included. */
  changes(): NatsChange[] {
    return [...this.#entries.values()].sort((a, b) => a.revision - b.revision);
  }

  get(key: string): { readonly value: Uint8Array; readonly revision: number } | undefined {
    const entry = this.#entries.get(key);
    return entry?.value === undefined ? undefined : { value: entry.value, revision: entry.revision };
  }

  put(key: string, value: Uint8Array): number {
    return this.#write(key, value);
  }

  create(key: string, value: Uint8Array): number | undefined {
    return this.get(key) === undefined ? this.#write(key, value) : undefined;
  }

  update(key: string, value: Uint8Array, revision: number): number | undefined {
    return this.#entries.get(key)?.revision === revision ? this.#write(key, value) : undefined;
  }

  delete(key: string): void {
    this.#write(key, undefined);
  }

  watch(listener: (change: NatsChange) => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  /** As a server that crashed before its writes were on disk: the revisions are given again. */
  undo(numWrites: number): void {
    this.#watchers.clear();
    for (const { key, before, lastRevision } of this.#undo.splice(-numWrites, numWrites).reverse()) {
      if (before === undefined) this.#entries.delete(key);
      else this.#entries.set(key, before);
      this.#lastRevision = lastRevision;
    }
    this.#undo = [];
  }

  #write(key: string, value: Uint8Array | undefined): number {
    this.#undo.push({ key, before: this.#entries.get(key), lastRevision: this.#lastRevision });
    if (this.#undo.length > MAX_UNDO) this.#undo.shift();
    this.#lastRevision += 1;
    const change = { key, value, revision: this.#lastRevision, createdMs: NEVER_OLD_MS };
    this.#entries.set(key, change);
    for (const tell of this.#watchers) tell(change);
    return this.#lastRevision;
  }
}
