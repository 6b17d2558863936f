/**
 * What the processes of a cluster share beside the data plane: small documents with compare-and-set, and messages to
 * whoever listens. One implementation is in process (a coordinator alone), the other is NATS. Serving never waits for
 * it: it may be away for minutes, and may come back empty.
 */
export interface ControlPlane {
  readonly kind: 'embedded' | 'nats';
  readonly workers: KeyValue;
  readonly placement: KeyValue;
  readonly leader: KeyValue;
  readonly state: ControlPlaneState;
  /** Called at every change of `state`; returns how to end it. */
  onState(listener: (state: ControlPlaneState) => void): () => void;
  /**
   * To all subscribers that are there now; lost while the control plane is away. At most 1,000,000 bytes, as values.
   */
  publish(subject: string, payload: Uint8Array): void;
  /** Subjects are relative to the cluster's prefix; `*` stands for one token. */
  subscribe(subject: string, listener: (payload: Uint8Array, subject: string) => void): () => void;
  close(): Promise<void>;
}

/**
 * `connected`: calls are answered, and all watches have told what is there now. While `away`, calls fail at once; what
 * a watch tells then is how it catches up, before `connected`.
 */
export type ControlPlaneState = 'connected' | 'away';

/**
 * Keys are any text of at most 200 bytes; values have at most 1,000,000 bytes. Revisions grow with every write to the
 * bucket, deletions included; they mean nothing to other processes.
 *
 * @throws ExpertmeshError from all calls: `unavailable` while the control plane is away or when it does not answer in
 * time (a write may   have happened all the same), `invalid_argument` for what is too long.
 */
export interface KeyValue {
  get(key: string): Promise<KeyValueEntry | undefined>;
  /** Whatever is there. */
  put(key: string, value: Uint8Array): Promise<number>;
  /** @returns undefined when the key exists. */
  create(key: string, value: Uint8Array): Promise<number | undefined>;
  /** @returns undefined when `revision` is no longer the key's newest. */
  update(key: string, value: Uint8Array, revision: number): Promise<number | undefined>;
  delete(key: string): Promise<void>;
  /**
   * Tells every entry that is there, then `onCurrent` once, then every change. After the control plane was away, it
   * tells what is different from what it had told, deletions included.
   */
  watch(listener: KeyValueListener): () => void;
}

export interface KeyValueEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

export interface KeyValueListener {
  onEntry(entry: KeyValueEntry): void;
  onDelete(key: string): void;
  onCurrent?(): void;
}
