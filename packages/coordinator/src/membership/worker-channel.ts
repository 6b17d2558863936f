import { type NetworkAddress, formatNetworkAddress } from '@expertmesh/shared/config/network-address';
import {
  type AssignRequest,
  type LoadProgress,
  type LoadRequest,
  type WorkerStats,
} from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type OpenClient, type RpcConnection } from '@expertmesh/shared/rpc/openers';
import { workerService } from '@expertmesh/shared/rpc/services';

/**
 * How a leader commands a worker that is up. Each call throws the worker's own error, or `unavailable`,
 * `deadline_exceeded` or `cancelled` when the worker went away meanwhile.
 */
export interface WorkerCommands {
  /** Also loads what was assigned; resolves when the worker holds exactly that. */
  hold(request: HoldRequest, onProgress: (progress: LoadProgress) => void): Promise<void>;
  unload(epoch: number): Promise<void>;
}

/** What to hold, and who may have the files of it. */
export type HoldRequest = AssignRequest & Pick<LoadRequest, 'sources'>;

const ASSIGN_TIMEOUT_MS = 30_000;
/** Loading takes as long as the disk needs; whether the worker lives is what heartbeats tell meanwhile. */
const LOAD_TIMEOUT_MS = 6 * 3600 * 1000;

/** One connection to the control port of one process of a worker; ends with that process. */
export class WorkerChannel implements WorkerCommands {
  readonly #client: RpcConnection;
  readonly #abort = new AbortController();

  /** `peer` is how errors name the worker. */
  constructor(address: NetworkAddress, peer: string, openClient: OpenClient) {
    this.#client = openClient({ address: formatNetworkAddress(address), peer, role: 'worker' });
  }

  get isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  stats(deadlineMs: number): Promise<WorkerStats> {
    return this.#client.unary(workerService.getStats, {}, { deadlineMs, signal: this.#abort.signal });
  }

  async hold(request: HoldRequest, onProgress: (progress: LoadProgress) => void): Promise<void> {
    const { signal } = this.#abort;
    await this.#client.unary(workerService.assign, request, { deadlineMs: ASSIGN_TIMEOUT_MS, signal });
    const { placementVersion, epoch, sources } = request;
    const options = { deadlineMs: LOAD_TIMEOUT_MS, signal };
    const load = { placementVersion, epoch, sources };
    for await (const progress of this.#client.serverStream(workerService.load, load, options))
      if (!signal.aborted) onProgress(progress);
  }

  async unload(epoch: number): Promise<void> {
    const options = { deadlineMs: ASSIGN_TIMEOUT_MS, signal: this.#abort.signal };
    await this.#client.unary(workerService.unload, { epoch }, options);
  }

  close(): void {
    this.#abort.abort();
    this.#client.close();
  }
}
