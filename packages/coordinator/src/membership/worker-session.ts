import { formatNetworkAddress, type NetworkAddress } from '@expertmesh/shared/config/network-address';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { RpcClient } from '@expertmesh/shared/rpc/client';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { reconnectDelayMs } from '@expertmesh/shared/rpc/reconnect-backoff';
import { workerService } from '@expertmesh/shared/rpc/services';
import {
  INITIAL_STATE,
  type SessionAction,
  type SessionEvent,
  type SessionState,
  type SessionTerms,
  transition,
  type WorkerProcess,
} from './session-state.js';
import { type WorkerEvent, type WorkerStatus } from './worker-event.js';

export interface WorkerSessionOptions {
  readonly workerId: string;
  readonly controlAddress: NetworkAddress;
  readonly storeId: string;
  readonly placementVersion: number;
  /** The experts that this worker is to hold. */
  readonly shards: readonly LayerShard[];
  readonly heartbeatIntervalMs: number;
  /** How long an answer may take before the worker counts as away. */
  readonly heartbeatTimeoutMs: number;
  readonly clock: Clock;
  /** In [0, 1); spreads reconnections. */
  readonly random: () => number;
  readonly onEvent: (event: WorkerEvent) => void;
}

const ASSIGN_TIMEOUT_MS = 30_000;
/** Loading takes as long as the disk needs; whether the worker lives is what heartbeats tell meanwhile. */
const LOAD_TIMEOUT_MS = 6 * 3600 * 1000;

/** How reasons speak of the worker: whoever tells one names the worker before it. */
const PEER = 'it';

/** Keeps one worker holding its experts: does what session-state.ts decides. */
export class WorkerSession {
  readonly #options: WorkerSessionOptions;
  readonly #terms: SessionTerms;
  readonly #heartbeats = { numSent: 0, numMissed: 0, maxLatencyMs: 0 };
  #state: SessionState = INITIAL_STATE;
  #connection: { readonly client: RpcClient; readonly abort: AbortController } | undefined;
  #cancelTimer: () => void = () => undefined;
  #isClosed = false;

  constructor(options: WorkerSessionOptions) {
    const { storeId, placementVersion } = options;
    this.#options = options;
    this.#terms = { storeId, placementVersion };
    this.#handle({ type: 'start' });
  }

  status(): WorkerStatus {
    const { workerId, controlAddress } = this.#options;
    const { phase, lastError } = this.#state;
    const worker = 'worker' in this.#state ? this.#state.worker : undefined;
    const progress = 'progress' in this.#state ? this.#state.progress : undefined;
    return {
      workerId,
      controlAddress: formatNetworkAddress(controlAddress),
      phase,
      ...(worker && { dataAddress: this.#dataAddress(worker), bootId: worker.bootId }),
      ...(lastError !== undefined && { lastError }),
      loadedBytes: progress?.loadedBytes ?? 0,
      totalBytes: progress?.totalBytes ?? 0,
      heartbeats: { ...this.#heartbeats },
    };
  }

  /** Leaves the worker as it is: it goes on serving others. */
  close(): void {
    this.#isClosed = true;
    this.#disconnect();
    this.#cancelTimer();
  }

  #handle(event: SessionEvent): void {
    if (this.#isClosed) return;
    const [state, actions] = transition(this.#state, event, this.#terms);
    this.#state = state;
    for (const action of actions) this.#act(action);
  }

  #act(action: SessionAction): void {
    // A listener may close the session from within an event.
    if (this.#isClosed) return;
    const { workerId, random, heartbeatIntervalMs, onEvent } = this.#options;
    switch (action.type) {
      case 'connect':
        this.#connect();
        return;
      case 'disconnect':
        this.#disconnect();
        return;
      case 'get-stats':
        this.#request(() => this.#getStats());
        return;
      case 'assign':
        this.#request(() => this.#assign());
        return;
      case 'load':
        this.#request(() => this.#load());
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
      case 'tell-down':
        onEvent({ type: 'down', workerId, reason: action.reason });
        return;
      case 'tell-progress': {
        const { loadedBytes, totalBytes, loadedLayers, totalLayers } = action.progress;
        onEvent({ type: 'progress', workerId, loadedBytes, totalBytes, loadedLayers, totalLayers });
      }
    }
  }

  #connect(): void {
    const { controlAddress, clock } = this.#options;
    this.#connection = {
      client: new RpcClient(formatNetworkAddress(controlAddress), PEER, clock),
      abort: new AbortController(),
    };
  }

  #disconnect(): void {
    this.#cancelTimer();
    this.#connection?.abort.abort();
    this.#connection?.client.close();
    this.#connection = undefined;
  }

  // There is one timer: the session waits either for a heartbeat or for a retry.
  #await(delayMs: number, event: SessionEvent): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      this.#handle(event);
    });
  }

  // What a request ends with counts only while its connection is the current one.
  #request(run: () => Promise<SessionEvent>): void {
    const connection = this.#connection;
    void run()
      .catch((thrown: unknown): SessionEvent => ({ type: 'failed', reason: reasonOf(thrown) }))
      .then((event) => {
        if (this.#connection === connection) this.#handle(event);
      });
  }

  async #getStats(): Promise<SessionEvent> {
    const { client, signal } = this.#requireConnection();
    const { clock, heartbeatTimeoutMs: deadlineMs } = this.#options;
    const isHeartbeat = this.#state.phase !== 'connecting';
    if (isHeartbeat) this.#heartbeats.numSent++;
    const startMs = clock.nowMs();
    try {
      const stats = await client.unary(workerService.getStats, {}, { deadlineMs, signal });
      if (isHeartbeat) this.#heartbeats.maxLatencyMs = Math.max(this.#heartbeats.maxLatencyMs, clock.nowMs() - startMs);
      return { type: 'stats', stats };
    } catch (thrown) {
      if (isHeartbeat && !signal.aborted) this.#heartbeats.numMissed++;
      throw thrown;
    }
  }

  async #assign(): Promise<SessionEvent> {
    const { client, signal } = this.#requireConnection();
    const { placementVersion, storeId, shards } = this.#options;
    const request = { placementVersion, storeId, shards: [...shards] };
    await client.unary(workerService.assign, request, { deadlineMs: ASSIGN_TIMEOUT_MS, signal });
    return { type: 'assigned' };
  }

  async #load(): Promise<SessionEvent> {
    const { client, signal } = this.#requireConnection();
    const { placementVersion } = this.#options;
    const options = { deadlineMs: LOAD_TIMEOUT_MS, signal };
    for await (const progress of client.serverStream(workerService.load, { placementVersion }, options))
      if (!signal.aborted) this.#handle({ type: 'progress', progress });
    return { type: 'loaded' };
  }

  #requireConnection(): { client: RpcClient; signal: AbortSignal } {
    const connection = this.#connection;
    if (connection === undefined) throw new ExpertmeshError('internal', 'a worker session asks without a connection');
    return { client: connection.client, signal: connection.abort.signal };
  }

  #dataAddress({ dataPort }: WorkerProcess): string {
    return formatNetworkAddress({ host: this.#options.controlAddress.host, port: dataPort });
  }
}

/** "it did not answer ..." stays as it is; "it: connection refused" says no more than "connection refused". */
const reasonOf = (thrown: unknown): string => {
  const { message } = ExpertmeshError.from(thrown);
  return message.startsWith(`${PEER}: `) ? message.slice(PEER.length + 2) : message;
};
