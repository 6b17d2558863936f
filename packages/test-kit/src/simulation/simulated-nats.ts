import { decodeKey } from '@expertmesh/shared/control-plane/key-encoding';
import { type NatsBucketCalls, type NatsChange, type NatsLink } from '@expertmesh/shared/control-plane/nats-connection';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { SimulatedBucket } from './simulated-bucket.js';
import { type SimulatedNetwork } from './simulated-network.js';
import { SimulatedProcess } from './simulated-process.js';
import { type Simulator } from './simulator.js';

/** As the client: a connection that is silent is over after two to three pings of a second. */
const [LEAST_SILENCE_MS, MOST_SILENCE_MS] = [2_000, 3_000];
const CONNECT_TIMEOUT_MS = 2_000;

/** A write that the server has taken. */
export interface TakenWrite {
  readonly bucket: string;
  readonly key: string;
  readonly value: Uint8Array;
  readonly before: Uint8Array | undefined;
  /** The run of the process that wrote. */
  readonly writer: string;
}

export type WriteObserver = (write: TakenWrite) => void;

/**
 * A simulated NATS server with JetStream: its buckets do what the real ones do, and it can lose the last writes that it
 * has acknowledged, or its whole store.
 */
export class SimulatedNats {
  readonly process: SimulatedProcess;
  readonly #sim: Simulator;
  readonly #network: SimulatedNetwork;
  readonly #onWrite: WriteObserver;
  readonly #links = new Set<SimulatedNatsLink>();
  #buckets = new Map<string, SimulatedBucket>();
  #numStores = 0;

  constructor(sim: Simulator, network: SimulatedNetwork, onWrite: WriteObserver) {
    this.#sim = sim;
    this.#network = network;
    this.#onWrite = onWrite;
    this.process = new SimulatedProcess(sim, 'nats');
    this.process.start();
  }

  /** A connection, as NatsConnection.open makes one. */
  open(client: SimulatedProcess): Promise<NatsLink> {
    return new Promise((resolve, reject) => {
      const answered = client.after(CONNECT_TIMEOUT_MS, () => {
        reject(new ExpertmeshError('unavailable', 'the NATS server does not answer'));
      });
      const accept = (): void => {
        this.#network.send(this.process, client, () => {
          answered();
          const link = new SimulatedNatsLink(this.#sim, this.#network, this, client);
          this.#links.add(link);
          resolve(link);
        });
      };
      if (this.process.isRunning) this.#network.send(client, this.process, accept);
    });
  }

  /** @param numLost of the last writes of each bucket that were acknowledged and are not there afterwards */
  crash(numLost: number): void {
    this.process.crash();
    for (const bucket of this.#buckets.values()) bucket.undo(numLost);
    if (numLost > 0) this.#sim.note('nats', `loses the last ${String(numLost)} writes of each bucket`);
    for (const link of this.#links) link.breakOff();
    this.#links.clear();
  }

  loseStore(): void {
    this.#buckets = new Map();
    this.#sim.note('nats', 'loses its whole store');
  }

  bucket(name: string): SimulatedBucket {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = new SimulatedBucket(`store ${String(this.#numStores++)}`);
      this.#buckets.set(name, bucket);
    }
    return bucket;
  }

  wrote(write: TakenWrite): void {
    this.#onWrite(write);
  }

  forget(link: SimulatedNatsLink): void {
    this.#links.delete(link);
  }
}

/** One connection: messages keep their order, and with the first that is lost nothing comes through any more. */
class SimulatedNatsLink implements NatsLink {
  readonly closed: Promise<string>;
  readonly #sim: Simulator;
  readonly #network: SimulatedNetwork;
  readonly #nats: SimulatedNats;
  readonly #client: SimulatedProcess;
  readonly #writer: string;
  readonly #serverRun: string;
  readonly #stops: (() => void)[] = [];
  readonly #lastArrivalMs = { request: 0, answer: 0 };
  #isOver = false;
  #end: (reason: string) => void = () => undefined;

  constructor(sim: Simulator, network: SimulatedNetwork, nats: SimulatedNats, client: SimulatedProcess) {
    this.#sim = sim;
    this.#network = network;
    this.#nats = nats;
    this.#client = client;
    this.#writer = client.bootId;
    this.#serverRun = nats.process.bootId;
    this.closed = new Promise((resolve) => (this.#end = resolve));
  }

  /** Nothing comes through any more; the client notices later. */
  breakOff(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const stop of this.#stops) stop();
    this.#nats.forget(this);
    const noticeAfterMs = this.#sim.between(LEAST_SILENCE_MS, MOST_SILENCE_MS);
    this.#client.after(
      noticeAfterMs,
      () => {
        this.#end('the server is silent');
      },
      this.#writer,
    );
  }

  async bucket(name: string): Promise<NatsBucketCalls> {
    const bucket = await this.#ask(() => this.#nats.bucket(name));
    return this.#callsOf(name, bucket);
  }

  // The cluster's logic does not rest on messages: those are for views of the load.
  publish(): void {
    return;
  }

  subscribe(): () => void {
    return () => undefined;
  }

  close(): Promise<void> {
    this.breakOff();
    this.#end('it was closed');
    return Promise.resolve();
  }

  #callsOf(name: string, bucket: SimulatedBucket): NatsBucketCalls {
    const writer = this.#writer;
    const write = (key: string, value: Uint8Array, act: () => number | undefined): Promise<number | undefined> =>
      this.#ask(() => {
        const before = bucket.get(key)?.value;
        const revision = act();
        if (revision !== undefined)
          this.#nats.wrote({ bucket: name, key: decodeKey(key) ?? '', value, before, writer });
        return revision;
      });
    return {
      get: (key) => this.#ask(() => bucket.get(key)),
      put: async (key, value) => (await write(key, value, () => bucket.put(key, value))) ?? 0,
      create: (key, value) => write(key, value, () => bucket.create(key, value)),
      update: (key, value, revision) => write(key, value, () => bucket.update(key, value, revision)),
      delete: (key) =>
        this.#ask(() => {
          bucket.delete(key);
        }),
      watch: (onChange, onCurrent) => this.#watch(bucket, onChange, onCurrent),
      info: () => this.#ask(() => ({ created: bucket.created, lastRevision: bucket.lastRevision })),
      removeMarker: () => Promise.resolve(),
    };
  }

  #watch(bucket: SimulatedBucket, onChange: (change: NatsChange) => void, onCurrent: () => void): Promise<void> {
    return this.#ask(() => {
      for (const change of bucket.changes())
        this.#answer(() => {
          onChange(change);
        });
      this.#answer(onCurrent);
      this.#stops.push(
        bucket.watch((change) => {
          this.#answer(() => {
            onChange(change);
          });
        }),
      );
    });
  }

  /** Has the server do something. It never answers over a connection that is over. */
  #ask<T>(act: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#inOrder('request', this.#nats.process, this.#serverRun, () => {
        const result = act();
        this.#answer(() => {
          resolve(result);
        });
      });
    });
  }

  #answer(deliver: () => void): void {
    this.#inOrder('answer', this.#client, this.#writer, deliver);
  }

  #inOrder(way: 'request' | 'answer', to: SimulatedProcess, run: string, deliver: () => void): void {
    if (this.#isOver) return;
    const from = to === this.#client ? this.#nats.process : this.#client;
    const delayMs = this.#network.delayMs(from, to);
    if (delayMs === undefined) {
      this.breakOff();
      return;
    }
    const arrivalMs = Math.max(this.#sim.nowMs + delayMs, this.#lastArrivalMs[way]);
    this.#lastArrivalMs[way] = arrivalMs;
    this.#sim.after(arrivalMs - this.#sim.nowMs, () => {
      if (!this.#isOver) to.after(0, deliver, run);
    });
  }
}
