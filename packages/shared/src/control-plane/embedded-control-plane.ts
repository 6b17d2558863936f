import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Logger } from '../process/logger.js';
import {
  type ControlPlane,
  type ControlPlaneState,
  type KeyValue,
  type KeyValueEntry,
  type KeyValueListener,
} from './control-plane.js';
import { checkKey, checkValue } from './key-value-limits.js';
import { WatchView } from './watch-view.js';

/**
 * The control plane of a coordinator that shares its workers with no other: in this process, never away, gone with it.
 */
export class EmbeddedControlPlane implements ControlPlane {
  readonly kind = 'embedded';
  readonly workers: KeyValue;
  readonly placement: KeyValue;
  readonly leader: KeyValue;
  readonly #logger: Logger;
  readonly #subscriptions = new Set<Subscription>();
  #isClosed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
    const requireOpen = (): void => {
      if (this.#isClosed) throw new ExpertmeshError('unavailable', 'the control plane has been closed');
    };
    this.workers = new EmbeddedKeyValue(logger, requireOpen);
    this.placement = new EmbeddedKeyValue(logger, requireOpen);
    this.leader = new EmbeddedKeyValue(logger, requireOpen);
  }

  get state(): ControlPlaneState {
    return this.#isClosed ? 'away' : 'connected';
  }

  onState(): () => void {
    return () => undefined;
  }

  publish(subject: string, payload: Uint8Array): void {
    checkValue(subject, payload);
    const sent = payload.slice();
    for (const subscription of this.#subscriptions)
      if (subjectMatches(subscription.subject, subject))
        queueMicrotask(() => {
          this.#deliver(subscription, sent, subject);
        });
  }

  subscribe(subject: string, listener: (payload: Uint8Array, subject: string) => void): () => void {
    const subscription = { subject, listener };
    this.#subscriptions.add(subscription);
    return () => this.#subscriptions.delete(subscription);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#subscriptions.clear();
    await Promise.resolve();
  }

  #deliver(subscription: Subscription, payload: Uint8Array, subject: string): void {
    if (!this.#subscriptions.has(subscription)) return;
    try {
      subscription.listener(payload, subject);
    } catch (error) {
      this.#logger.error({ err: error, subject }, 'a subscriber has failed');
    }
  }
}

interface Subscription {
  readonly subject: string;
  readonly listener: (payload: Uint8Array, subject: string) => void;
}

class EmbeddedKeyValue implements KeyValue {
  readonly #view: WatchView;
  readonly #requireOpen: () => void;
  #revision = 0;

  constructor(logger: Logger, requireOpen: () => void) {
    this.#requireOpen = requireOpen;
    this.#view = new WatchView(logger);
    this.#view.beginSync();
    this.#view.endSync();
  }

  async get(key: string): Promise<KeyValueEntry | undefined> {
    await this.#begin(key);
    return this.#view.get(key);
  }

  async put(key: string, value: Uint8Array): Promise<number> {
    await this.#begin(key, value);
    return this.#write(key, value);
  }

  async create(key: string, value: Uint8Array): Promise<number | undefined> {
    await this.#begin(key, value);
    return this.#view.get(key) === undefined ? this.#write(key, value) : undefined;
  }

  async update(key: string, value: Uint8Array, revision: number): Promise<number | undefined> {
    await this.#begin(key, value);
    return this.#view.get(key)?.revision === revision ? this.#write(key, value) : undefined;
  }

  async delete(key: string): Promise<void> {
    await this.#begin(key);
    this.#revision += 1;
    this.#view.delete(key);
  }

  watch(listener: KeyValueListener): () => void {
    return this.#view.watch(listener);
  }

  /** Nobody hears of a write before the one who writes has let go, as over a network. */
  async #begin(key: string, value?: Uint8Array): Promise<void> {
    this.#requireOpen();
    checkKey(key);
    if (value !== undefined) checkValue(key, value);
    await Promise.resolve();
  }

  #write(key: string, value: Uint8Array): number {
    this.#revision += 1;
    this.#view.put({ key, value: value.slice(), revision: this.#revision });
    return this.#revision;
  }
}

/** Whether messages on `subject` go to subscribers of `pattern`, where `*` stands for one token between dots. */
function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  return wanted.length === tokens.length && wanted.every((token, index) => token === '*' || token === tokens[index]);
}
