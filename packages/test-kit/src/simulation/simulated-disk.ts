import { type StateDirectory } from '@expertmesh/coordinator/control/placement/state-directory';
import { type Simulator } from './simulator.js';

interface WriteUnderWay {
  readonly key: string;
  readonly before: Uint8Array | undefined;
}

/** Writes that a machine may lose when it loses its power. */
const MAX_VOLATILE_WRITES = 8;

/** What a coordinator's state directory becomes: the last writes may be lost, or torn, with the power. */
export class SimulatedDisk implements Pick<StateDirectory, 'read' | 'write' | 'delete' | 'flush'> {
  readonly #sim: Simulator;
  readonly #files = new Map<string, Uint8Array>();
  /** Oldest first. */
  #volatile: WriteUnderWay[] = [];

  constructor(sim: Simulator) {
    this.#sim = sim;
  }

  read(): Map<string, Uint8Array> {
    return new Map(this.#files);
  }

  write(key: string, value: Uint8Array): void {
    this.#replace(key, value);
  }

  delete(key: string): void {
    this.#replace(key, undefined);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** The newest writes are undone, and the last of them that stays may be torn. */
  losePower(): void {
    const numLost = Math.floor(this.#sim.between(0, this.#volatile.length + 1));
    for (const { key, before } of this.#volatile.splice(this.#volatile.length - numLost, numLost).reverse())
      this.#set(key, before);
    const torn = this.#volatile.at(-1);
    const value = torn === undefined ? undefined : this.#files.get(torn.key);
    if (torn !== undefined && value !== undefined && this.#sim.chance(0.5))
      this.#set(torn.key, value.slice(0, Math.floor(this.#sim.between(0, value.length))));
    this.#volatile = [];
  }

  /** It is another machine that comes back. */
  wipe(): void {
    this.#files.clear();
    this.#volatile = [];
  }

  #replace(key: string, value: Uint8Array | undefined): void {
    this.#volatile.push({ key, before: this.#files.get(key) });
    if (this.#volatile.length > MAX_VOLATILE_WRITES) this.#volatile.shift();
    this.#set(key, value);
  }

  #set(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#files.delete(key);
    else this.#files.set(key, value);
  }
}
