import { setMaxListeners } from 'node:events';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Logger } from '../process/logger.js';
import { type Clock, systemClock } from '../rpc/clock.js';
import { reconnectDelayMs } from '../rpc/reconnect-backoff.js';
import { type TransportSecurity } from '../transport-security/transport-security.js';
import { type ControlPlane, type ControlPlaneState } from './control-plane.js';
import { sleep, withDeadline } from './deadline.js';
import { checkValue } from './key-value-limits.js';
import { NatsConnection, type NatsLink } from './nats-connection.js';
import { NatsKeyValue } from './nats-key-value.js';
import { StateNotifier } from './state-notifier.js';

/** For connecting, and for all buckets together to be found or made and watched. */
const OPEN_TIMEOUT_MS = 10_000;
const CHECK_INTERVAL_MS = 10_000;
/** A connection that lasted this long was a good one: the next is tried at once. */
const SETTLED_MS = 10_000;

export interface NatsControlPlaneOptions {
  readonly servers: readonly string[];
  readonly cluster: string;
  readonly clientName: string;
  readonly logger: Logger;
  /** Absent for plain text. */
  readonly security?: TransportSecurity | undefined;
  readonly credsFile?: string | undefined;
  /** Connects to a server (NatsConnection.open). */
  readonly open?: () => Promise<NatsLink>;
  readonly clock?: Clock;
  /** In [0, 1); spreads reconnections. */
  readonly random?: () => number;
}

/**
 * The control plane of a cluster: three JetStream buckets, and messages. It connects for as long as it is open, and
 * everything that looks wrong (a call without an answer, a bucket that is gone, a watch that missed something) ends the
 * connection: the next one finds or makes the buckets, has the watches catch up, and then the state is `connected`
 * again. Its background work never throws.
 */
export class NatsControlPlane implements ControlPlane {
  readonly kind = 'nats';
  readonly workers: NatsKeyValue;
  readonly placement: NatsKeyValue;
  readonly leader: NatsKeyValue;
  readonly #options: NatsControlPlaneOptions;
  readonly #clock: Clock;
  readonly #buckets: ReadonlyMap<string, NatsKeyValue>;
  readonly #subjectPrefix: string;
  readonly #subscriptions = new Set<Subscription>();
  readonly #notifier: StateNotifier;
  readonly #closing = new AbortController();
  readonly #hasEnded: Promise<void>;
  #connection: NatsLink | undefined;

  constructor(options: NatsControlPlaneOptions) {
    const { cluster, logger, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#subjectPrefix = `expertmesh.${cluster}.`;
    this.#notifier = new StateNotifier('away', logger);
    this.workers = new NatsKeyValue('workers', logger, clock);
    this.placement = new NatsKeyValue('placement', logger, clock);
    this.leader = new NatsKeyValue('leader', logger, clock);
    this.#buckets = new Map([
      [`expertmesh_${cluster}_workers`, this.workers],
      [`expertmesh_${cluster}_placement`, this.placement],
      [`expertmesh_${cluster}_leader`, this.leader],
    ]);
    this.#hasEnded = this.#keepConnected();
  }

  get state(): ControlPlaneState {
    return this.#notifier.state;
  }

  onState(listener: (state: ControlPlaneState) => void): () => void {
    return this.#notifier.add(listener);
  }

  publish(subject: string, payload: Uint8Array): void {
    checkValue(subject, payload);
    if (this.state === 'connected') this.#connection?.publish(this.#subjectPrefix + subject, payload);
  }

  subscribe(subject: string, listener: (payload: Uint8Array, subject: string) => void): () => void {
    const subscription: Subscription = { subject, listener, cancel: () => undefined };
    this.#subscriptions.add(subscription);
    if (this.#connection !== undefined) this.#subscribe(this.#connection, subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      subscription.cancel();
    };
  }

  async close(): Promise<void> {
    this.#closing.abort(new ExpertmeshError('unavailable', 'the control plane has been closed'));
    this.#subscriptions.clear();
    await this.#hasEnded;
  }

  async #keepConnected(): Promise<void> {
    const { servers, logger, random = Math.random } = this.#options;
    const { signal } = this.#closing;
    let numFailures = 0;
    while (!this.#isClosing()) {
      const startMs = this.#clock.nowMs();
      const reason = await this.#holdConnection();
      if (this.#isClosing()) return;
      numFailures = this.#clock.nowMs() - startMs > SETTLED_MS ? 1 : numFailures + 1;
      if (numFailures === 1)
        logger.warn({ servers, reason }, 'the control plane is away: serving goes on, changes are refused');
      await sleep(reconnectDelayMs(numFailures, random), signal, this.#clock);
    }
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Connects and stays so for as long as all is well; returns what went wrong. */
  async #holdConnection(): Promise<string> {
    const over = new AbortController();
    // Every call under way listens.
    setMaxListeners(0, over.signal);
    const end = (reason: unknown): void => {
      over.abort(ExpertmeshError.from(reason));
    };
    const onClosing = (): void => {
      end(this.#closing.signal.reason);
    };
    this.#closing.signal.addEventListener('abort', onClosing, { once: true });
    try {
      const connection = await this.#connect(over.signal);
      try {
        void connection.closed.then((reason) => {
          end(new ExpertmeshError('unavailable', `the connection has ended: ${reason}`));
        });
        this.#subscribeAll(connection);
        await this.#attachBuckets(connection, over.signal, end);
        this.#announce();
        await this.#checkBuckets(over.signal);
      } catch (error) {
        end(error);
      }
      await this.#leave(connection);
    } catch (error) {
      end(error);
    }
    this.#closing.signal.removeEventListener('abort', onClosing);
    return ExpertmeshError.from(over.signal.reason).message;
  }

  async #connect(signal: AbortSignal): Promise<NatsLink> {
    const { servers, clientName, security, credsFile } = this.#options;
    const { open = () => NatsConnection.open(servers, clientName, security, credsFile) } = this.#options;
    const opening = open();
    try {
      return await withDeadline(opening, OPEN_TIMEOUT_MS, signal, this.#clock);
    } catch (error) {
      // It may still succeed, when nobody waits for it any more.
      void opening.then(
        (late) => late.close(),
        () => undefined,
      );
      throw error;
    }
  }

  async #attachBuckets(connection: NatsLink, signal: AbortSignal, end: (reason: unknown) => void): Promise<void> {
    const attach = async ([name, keyValue]: readonly [string, NatsKeyValue]): Promise<void> => {
      await keyValue.attach(await connection.bucket(name), signal, end);
    };
    await withDeadline(Promise.all([...this.#buckets].map(attach)), OPEN_TIMEOUT_MS, signal, this.#clock);
  }

  /** Before the buckets: the server has taken the subscriptions when it answers about those. */
  #subscribeAll(connection: NatsLink): void {
    this.#connection = connection;
    for (const subscription of this.#subscriptions) this.#subscribe(connection, subscription);
  }

  #announce(): void {
    for (const keyValue of this.#buckets.values()) keyValue.open();
    this.#options.logger.info('the control plane is connected');
    this.#notifier.set('connected');
  }

  /** Throws when the connection is over. */
  async #checkBuckets(signal: AbortSignal): Promise<never> {
    for (;;) {
      await sleep(CHECK_INTERVAL_MS, signal, this.#clock);
      signal.throwIfAborted();
      await Promise.all([...this.#buckets.values()].map((keyValue) => keyValue.check()));
    }
  }

  async #leave(connection: NatsLink): Promise<void> {
    this.#connection = undefined;
    for (const keyValue of this.#buckets.values()) keyValue.detach();
    this.#notifier.set('away');
    await connection.close();
  }

  #subscribe(connection: NatsLink, subscription: Subscription): void {
    subscription.cancel = connection.subscribe(this.#subjectPrefix + subscription.subject, (payload, subject) => {
      if (!this.#subscriptions.has(subscription)) return;
      try {
        subscription.listener(payload, subject.slice(this.#subjectPrefix.length));
      } catch (error) {
        this.#options.logger.error({ err: error, subject }, 'a subscriber has failed');
      }
    });
  }
}

interface Subscription {
  readonly subject: string;
  readonly listener: (payload: Uint8Array, subject: string) => void;
  /** Over the connection that there is now. */
  cancel: () => void;
}
