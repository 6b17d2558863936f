import { CountSums } from '@expertmesh/shared/balance/count-sums';
import { type Counts, type WorkerCountsById } from '@expertmesh/shared/balance/route-counts';
import { type RoutingShape } from '@expertmesh/shared/balance/routing-shape';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { decodeCounts, encodeCounts, type CountsSource } from './counts-message.js';

export interface LoadExchangeOptions {
  readonly shape: RoutingShape;
  readonly storeId: string;
  /** Of this process. */
  readonly bootId: string;
  readonly controlPlane: Pick<ControlPlane, 'state' | 'publish' | 'subscribe'>;
  readonly clock: Clock;
  /** Messages that have been counted already, as `heard` gave them. */
  readonly heard: readonly CountsSource[];
  /** Counts of another coordinator; they hold during the call. */
  readonly onCounts: (counts: CountSums) => void;
  readonly onError: (error: ExpertmeshError) => void;
}

export const LOADS_SUBJECT = 'loads';
const PUBLISH_INTERVAL_MS = 2000;
/** Processes whose last message is remembered; the one that was silent longest is forgotten. */
const MAX_SOURCES = 256;

/**
 * Tells other coordinators what this one counted, and hears what they did. While the control plane is away, counts wait
 * and add up.
 */
export class LoadExchange {
  readonly #options: LoadExchangeOptions;
  readonly #unpublished: CountSums;
  readonly #received: CountSums;
  /** Boot id to the last sequence number, the one heard last at the end. */
  readonly #heard: Map<string, number>;
  readonly #unsubscribe: () => void;
  #cancelTimer: () => void = () => undefined;
  #sequence = 1;

  constructor(options: LoadExchangeOptions) {
    this.#options = options;
    this.#unpublished = new CountSums(options.shape);
    this.#received = new CountSums(options.shape);
    this.#heard = new Map(options.heard.map(({ bootId, sequence }) => [bootId, sequence]));
    this.#unsubscribe = options.controlPlane.subscribe(LOADS_SUBJECT, (message) => {
      this.#receive(message);
    });
    this.#schedule();
  }

  /** Counts of this coordinator. */
  add(counts: Counts, workers: WorkerCountsById): void {
    this.#unpublished.add(counts, workers);
  }

  get heard(): CountsSource[] {
    return [...this.#heard].map(([bootId, sequence]) => ({ bootId, sequence }));
  }

  /** Publishes what there is, for the last time. */
  close(): void {
    this.#cancelTimer();
    this.#publish();
    this.#unsubscribe();
  }

  #schedule(): void {
    this.#cancelTimer = this.#options.clock.after(PUBLISH_INTERVAL_MS, () => {
      this.#publish();
      this.#schedule();
    });
  }

  #publish(): void {
    const { controlPlane, storeId, bootId } = this.#options;
    if (controlPlane.state !== 'connected' || this.#unpublished.numRows === 0) return;
    for (const message of encodeCounts(this.#unpublished, storeId, bootId, this.#sequence)) {
      this.#sequence += 1;
      controlPlane.publish(LOADS_SUBJECT, message);
    }
    this.#unpublished.clear();
  }

  #receive(message: Uint8Array): void {
    const { storeId, bootId, onCounts, onError } = this.#options;
    this.#received.clear();
    try {
      const source = decodeCounts(message, storeId, this.#received);
      if (source.bootId === bootId || source.sequence <= (this.#heard.get(source.bootId) ?? 0)) return;
      this.#remember(source);
      onCounts(this.#received);
    } catch (thrown) {
      onError(ExpertmeshError.from(thrown));
    }
  }

  #remember({ bootId, sequence }: CountsSource): void {
    this.#heard.delete(bootId);
    this.#heard.set(bootId, sequence);
    for (const oldest of this.#heard.keys()) {
      if (this.#heard.size <= MAX_SOURCES) break;
      this.#heard.delete(oldest);
    }
  }
}
