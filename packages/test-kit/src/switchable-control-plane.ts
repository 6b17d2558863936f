import {
  type ControlPlane,
  type ControlPlaneState,
  type KeyValue,
  type KeyValueEntry,
  type KeyValueListener,
} from '@expertmesh/shared/control-plane/control-plane';
import { StateNotifier } from '@expertmesh/shared/control-plane/state-notifier';
import { WatchView } from '@expertmesh/shared/control-plane/watch-view';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { createLogger } from '@expertmesh/shared/process/logger';

const logger = createLogger({ name: 'test', level: 'silent' });

/**
 * One process's way to a control plane that several share: tests cut it and mend it. It behaves as NATS does: calls
 * fail while it is cut, and watches catch up before it is connected again.
 */
export class SwitchableControlPlane implements ControlPlane {
  readonly kind = 'nats';
  readonly workers: SwitchableKeyValue;
  readonly placement: SwitchableKeyValue;
  readonly leader: SwitchableKeyValue;
  readonly #shared: ControlPlane;
  readonly #notifier = new StateNotifier('connected', logger);

  constructor(shared: ControlPlane) {
    this.#shared = shared;
    this.workers = new SwitchableKeyValue(shared.workers);
    this.placement = new SwitchableKeyValue(shared.placement);
    this.leader = new SwitchableKeyValue(shared.leader);
  }

  get state(): ControlPlaneState {
    return this.#notifier.state;
  }

  cut(): void {
    for (const keyValue of [this.workers, this.placement, this.leader]) keyValue.cut();
    this.#notifier.set('away');
  }

  async mend(): Promise<void> {
    await Promise.all([this.workers, this.placement, this.leader].map((keyValue) => keyValue.mend()));
    this.#notifier.set('connected');
  }

  onState(listener: (state: ControlPlaneState) => void): () => void {
    return this.#notifier.add(listener);
  }

  publish(subject: string, payload: Uint8Array): void {
    if (this.state === 'connected') this.#shared.publish(subject, payload);
  }

  subscribe(subject: string, listener: (payload: Uint8Array, subject: string) => void): () => void {
    return this.#shared.subscribe(subject, (payload, from) => {
      if (this.state === 'connected') listener(payload, from);
    });
  }

  async close(): Promise<void> {
    this.cut();
    await Promise.resolve();
  }
}

class SwitchableKeyValue implements KeyValue {
  readonly #shared: KeyValue;
  readonly #view = new WatchView(logger);
  #stop: (() => void) | undefined;
  #isCut = false;

  constructor(shared: KeyValue) {
    this.#shared = shared;
    void this.#follow();
  }

  cut(): void {
    this.#isCut = true;
    this.#stop?.();
  }

  async mend(): Promise<void> {
    await this.#follow();
    this.#isCut = false;
  }

  get(key: string): Promise<KeyValueEntry | undefined> {
    return this.#call(() => this.#shared.get(key));
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return this.#call(() => this.#shared.put(key, value));
  }

  create(key: string, value: Uint8Array): Promise<number | undefined> {
    return this.#call(() => this.#shared.create(key, value));
  }

  update(key: string, value: Uint8Array, revision: number): Promise<number | undefined> {
    return this.#call(() => this.#shared.update(key, value, revision));
  }

  delete(key: string): Promise<void> {
    return this.#call(() => this.#shared.delete(key));
  }

  watch(listener: KeyValueListener): () => void {
    return this.#view.watch(listener);
  }

  async #call<T>(run: () => Promise<T>): Promise<T> {
    if (this.#isCut) throw new ExpertmeshError('unavailable', 'the control plane is away');
    return run();
  }

  #follow(): Promise<void> {
    this.#view.beginSync();
    return new Promise((resolve) => {
      this.#stop = this.#shared.watch({
        onEntry: (entry) => {
          this.#view.put(entry);
        },
        onDelete: (key) => {
          this.#view.delete(key);
        },
        onCurrent: () => {
          this.#view.endSync();
          resolve();
        },
      });
    });
  }
}
