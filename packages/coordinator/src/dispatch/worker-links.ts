import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { type Clock, systemClock } from '@expertmesh/shared/rpc/clock';
import { type OpenStream } from '@expertmesh/shared/rpc/openers';
import { type WorkerDispatchStats } from './dispatch-stats.js';
import { type ExpertLink, type LinkObserver } from './expert-link.js';
import { type ConnectionListener, WorkerStream } from './worker-stream.js';

export interface WorkerLinksOptions {
  /** The placement's member `LOCAL_MEMBER`, where it has one. */
  readonly local?: ExpertLink | undefined;
  readonly onConnection?: ConnectionListener;
  readonly observer?: LinkObserver | undefined;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly openStream: OpenStream;
}

/**
 * The ways to all members of placements: a stream to each worker that has been up, and the coordinator's own experts.
 */
export class WorkerLinks {
  readonly #options: WorkerLinksOptions;
  readonly #streams = new Map<string, WorkerStream>();

  constructor(options: WorkerLinksOptions) {
    this.#options = options;
  }

  /** Opens the stream to a worker; one that is open at this address already stays. @returns whether it was opened */
  setWorkerUp(workerId: string, dataAddress: string): boolean {
    const current = this.#streams.get(workerId);
    if (current?.isUsableAt(dataAddress)) return false;
    current?.close('the worker has come back as another process');
    const { clock = systemClock, random = Math.random } = this.#options;
    const stream = new WorkerStream({ ...this.#options, workerId, address: dataAddress, clock, random });
    this.#streams.set(workerId, stream);
    return true;
  }

  /** Fails the worker's calls in flight at once, and later ones until it is up again, with this reason. */
  setWorkerDown(workerId: string, reason: string): void {
    this.#streams.get(workerId)?.close(reason);
  }

  /** It is no member any more: nothing of it is kept. */
  forgetWorker(workerId: string): void {
    this.#streams.get(workerId)?.close('it is no member of the cluster any more');
    this.#streams.delete(workerId);
  }

  /** Whether a call would reach it now. */
  isConnected(workerId: string): boolean {
    if (workerId === LOCAL_MEMBER) return this.#options.local !== undefined;
    return this.#streams.get(workerId)?.isConnected === true;
  }

  /** @throws ExpertmeshError `unavailable` for a worker that was never up. */
  linkTo(workerId: string): ExpertLink {
    const link = workerId === LOCAL_MEMBER ? this.#options.local : this.#streams.get(workerId);
    if (link !== undefined) return link;
    throw new ExpertmeshError('unavailable', `worker ${workerId} has not joined yet; is it running?`);
  }

  stats(): WorkerDispatchStats[] {
    return [...this.#streams.values()].map((stream) => stream.stats());
  }

  /** What is in flight fails with `unavailable`. */
  close(): void {
    for (const stream of this.#streams.values()) stream.close('the coordinator is shutting down');
  }
}
