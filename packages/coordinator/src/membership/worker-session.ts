import { formatNetworkAddress, type NetworkAddress } from '@expertmesh/shared/config/network-address';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type OpenClient } from '@expertmesh/shared/rpc/openers';
import { reconnectDelayMs } from '@expertmesh/shared/rpc/reconnect-backoff';
import {
  INITIAL_STATE,
  type SessionAction,
  type SessionEvent,
  type SessionState,
  transition,
  type WorkerProcess,
} from './session-state.js';
import { WorkerChannel, type WorkerCommands } from './worker-channel.js';
import { type WorkerEvent, type WorkerStatus } from './worker-event.js';

export interface WorkerSessionOptions {
  readonly workerId: string;
  readonly controlAddress: NetworkAddress;
  readonly storeId: string;
  readonly heartbeatIntervalMs: number;
  /** How long an answer may take before the worker counts as away. */
  readonly heartbeatTimeoutMs: number;
  readonly clock: Clock;
  /** In [0, 1); spreads reconnections. */
  readonly random: () => number;
  readonly onEvent: (event: WorkerEvent) => void;
  readonly openClient: OpenClient;
}

/** How reasons speak of the worker: whoever tells one names the worker before it. */
const PEER = 'it';

/** Watches one worker: does what session-state.ts decides. */
export class WorkerSession {
  readonly #options: WorkerSessionOptions;
  readonly #heartbeats = { numSent: 0, numMissed: 0, maxLatencyMs: 0 };
  #state: SessionState = INITIAL_STATE;
  #channel: WorkerChannel | undefined;
  #cancelTimer: () => void = () => undefined;
  #isClosed = false;

  constructor(options: WorkerSessionOptions) {
    this.#options = options;
    this.#handle({ type: 'start' });
  }

  get controlAddress(): NetworkAddress {
    return this.#options.controlAddress;
  }

  status(): WorkerStatus {
    const { workerId, controlAddress } = this.#options;
    const { phase, lastError } = this.#state;
    return {
      workerId,
      controlAddress: formatNetworkAddress(controlAddress),
      phase,
      ...(this.#state.phase === 'up' && {
        dataAddress: this.#dataAddress(this.#state.worker),
        bootId: this.#state.worker.bootId,
      }),
      ...(lastError !== undefined && { lastError }),
      heartbeats: { ...this.#heartbeats },
    };
  }

  /** undefined while the worker is not up. */
  get commands(): WorkerCommands | undefined {
    return this.#state.phase === 'up' ? this.#channel : undefined;
  }

  /** Asks for stats now instead of at the next heartbeat. */
  refresh(): void {
    if (this.#state.phase !== 'up') return;
    this.#cancelTimer();
    this.#handle({ type: 'heartbeat-due' });
  }

  /** Leaves the worker as it is: it goes on serving others. */
  close(): void {
    this.#isClosed = true;
    this.#disconnect();
  }

  #handle(event: SessionEvent): void {
    if (this.#isClosed) return;
    const [state, actions] = transition(this.#state, event, this.#options.storeId);
    this.#state = state;
    for (const action of actions) this.#act(action);
  }

  #act(action: SessionAction): void {
    // A listener may close the session from within an event.
    if (this.#isClosed) return;
    const { workerId, controlAddress, random, heartbeatIntervalMs, onEvent, openClient } = this.#options;
    switch (action.type) {
      case 'connect':
        this.#channel = new WorkerChannel(controlAddress, PEER, openClient);
        return;
      case 'disconnect':
        this.#disconnect();
        return;
      case 'get-stats':
        void this.#getStats();
        return;
      case 'await-heartbeat':
        this.#await(heartbeatIntervalMs, { type: 'heartbeat-due' });
        return;
      case 'await-retry':
        this.#await(reconnectDelayMs(action.numFailures, random), { type: 'retry-due' });
        return;
      case 'tell-up': {
        const { bootId } = action.worker;
        onEvent({ type: 'up', workerId, dataAddress: this.#dataAddress(action.worker), bootId });
        return;
      }
      case 'tell-stats':
        onEvent({ type: 'stats', workerId, stats: action.stats });
        return;
      case 'tell-down':
        onEvent({ type: 'down', workerId, reason: action.reason });
    }
  }

  #disconnect(): void {
    this.#cancelTimer();
    this.#channel?.close();
    this.#channel = undefined;
  }

  // There is one timer: the session waits either for a heartbeat or for a retry.
  #await(delayMs: number, event: SessionEvent): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      this.#handle(event);
    });
  }

  // Never rejects. What it ends with counts only while its channel is the current one.
  async #getStats(): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) return;
    const event = await this.#askStats(channel);
    if (this.#channel === channel) this.#handle(event);
  }

  async #askStats(channel: WorkerChannel): Promise<SessionEvent> {
    const { clock, heartbeatTimeoutMs } = this.#options;
    const isHeartbeat = this.#state.phase === 'up';
    if (isHeartbeat) this.#heartbeats.numSent++;
    const startMs = clock.nowMs();
    try {
      const stats = await channel.stats(heartbeatTimeoutMs);
      if (isHeartbeat) this.#heartbeats.maxLatencyMs = Math.max(this.#heartbeats.maxLatencyMs, clock.nowMs() - startMs);
      return { type: 'stats', stats };
    } catch (thrown) {
      if (isHeartbeat && !channel.isClosed) this.#heartbeats.numMissed++;
      return { type: 'failed', reason: reasonOf(thrown) };
    }
  }

  #dataAddress({ dataPort }: WorkerProcess): string {
    return formatNetworkAddress({ host: this.#options.controlAddress.host, port: dataPort });
  }
}

/** "it did not answer ..." stays as it is; "it: connection refused" says no more than "connection refused". */
function reasonOf(thrown: unknown): string {
  const { message } = ExpertmeshError.from(thrown);
  return message.startsWith(`${PEER}: `) ? message.slice(PEER.length + 2) : message;
}
