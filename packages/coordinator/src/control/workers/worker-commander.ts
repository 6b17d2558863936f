import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type LoadProgress, WorkerState, type WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { reconnectDelayMs } from '@expertmesh/shared/rpc/reconnect-backoff';
import { type WorkerCommands } from '../../membership/worker-channel.js';
import { isSameShards, type Shards } from '../placement/shards.js';
import { decideCommand, type WorkerCommand } from './command-decision.js';
import { type KnownWorker, type KnownWorkers } from './known-workers.js';
import { commonShards, withLastReplicas } from './last-replicas.js';

export interface WorkerCommanderOptions {
  readonly storeId: string;
  readonly known: Pick<KnownWorkers, 'list' | 'get'>;
  /** undefined while the worker is not up. */
  readonly commands: (workerId: string) => WorkerCommands | undefined;
  /**
   * What a worker is to hold by the placement in force and the change under way; undefined while nothing is known of
   * that.
   */
  readonly wanted: (workerId: string) => Shards | undefined;
  /** Who may have files that the worker's disk lacks: addresses of StoreService. */
  readonly sources: (workerId: string, shards: Shards) => string[];
  /** Names the placement to workers. */
  readonly placementVersion: () => number;
  /** undefined while this coordinator does not lead: nothing is commanded then. */
  readonly epoch: () => number | undefined;
  /** Has a worker's stats asked for now. */
  readonly refresh: (workerId: string) => void;
  readonly onRefusal: (workerId: string, error: ExpertmeshError) => void;
  readonly onProgress: (workerId: string, progress: LoadProgress) => void;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
}

interface Failure {
  readonly numFailures: number;
  /** A failure of other shards, or of another process, says nothing of these. */
  readonly shards: Shards;
  readonly bootId: string;
  readonly isDue: boolean;
  /** The worker has no room for what it was to hold beside what it holds. */
  readonly lacksMemory: boolean;
  readonly cancelRetry: () => void;
}

/** A worker that failed so often in a row is not waited for, however often it comes up. */
const MAX_CHANCES = 3;

/**
 * Has every worker hold what it should: one command at a time for each, again after a growing delay where it failed.
 */
export class WorkerCommander {
  readonly #options: WorkerCommanderOptions;
  readonly #busy = new Set<string>();
  readonly #failures = new Map<string, Failure>();
  readonly #refusals = new Map<string, ExpertmeshError>();
  /** Of workers that were commanded since: what they hold now is not in these stats yet. */
  readonly #outdatedStats = new Map<string, WorkerStats | undefined>();
  #isClosed = false;

  constructor(options: WorkerCommanderOptions) {
    this.#options = options;
  }

  /** To be called when what is wanted has changed, or who leads. */
  reconcileAll(): void {
    for (const { workerId } of this.#options.known.list()) this.reconcile(workerId);
  }

  /** To be called when there is news of a worker. */
  reconcile(workerId: string): void {
    const epoch = this.#options.epoch();
    const worker = this.#options.known.get(workerId);
    if (epoch === undefined || worker === undefined || this.#isClosed || this.#busy.has(workerId)) return;
    const shards = this.#options.wanted(workerId);
    if (shards === undefined || this.#isOutdated(worker)) return;
    const command = decideCommand(worker, this.#target(worker, shards), epoch);
    if (command.kind !== 'none' && !this.#mustWait(worker, shards)) void this.#run(worker, command, shards, epoch);
  }

  /**
   * Whether what is known of the worker's experts is from after its last command: that one may have dropped some, and a
   * worker may obey one that failed here for want of its answer.
   */
  hasObeyed(workerId: string): boolean {
    const worker = this.#options.known.get(workerId);
    const isLoading = worker?.stats?.state === WorkerState.WORKER_STATE_LOADING;
    return worker !== undefined && !isLoading && !this.#busy.has(workerId) && !this.#isOutdated(worker);
  }

  /** What the worker's last command ended with, if it failed. */
  refusal(workerId: string): ExpertmeshError | undefined {
    return this.#refusals.get(workerId);
  }

  /** The worker is there anew: what failed may have failed for want of the process, or of the connection to it. */
  cameUp(workerId: string): void {
    const numFailures = this.#failures.get(workerId)?.numFailures ?? 0;
    if (numFailures < MAX_CHANCES) this.#refusals.delete(workerId);
  }

  /** Something else is wanted of the workers now. */
  forgetRefusals(): void {
    this.#refusals.clear();
  }

  /** The worker is no member any more. */
  forget(workerId: string): void {
    this.#failures.get(workerId)?.cancelRetry();
    for (const ofWorkers of [this.#failures, this.#refusals, this.#outdatedStats]) ofWorkers.delete(workerId);
  }

  close(): void {
    this.#isClosed = true;
    for (const { cancelRetry } of this.#failures.values()) cancelRetry();
  }

  // A worker without room for what it gains beside what it gives up gives that up first: what others hold, and only
  // then the last replicas.
  #target(worker: KnownWorker, wanted: Shards): Shards {
    const kept = withLastReplicas(worker, wanted, this.#options.known.list());
    if (this.#failures.get(worker.workerId)?.lacksMemory !== true) return kept;
    const smaller = [kept, wanted].map((shards) => commonShards(worker.holds, shards));
    return smaller.find((shards) => !isSameShards(shards, worker.holds)) ?? wanted;
  }

  #isOutdated({ workerId, stats }: KnownWorker): boolean {
    if (this.#outdatedStats.get(workerId) === stats && stats !== undefined) return true;
    this.#outdatedStats.delete(workerId);
    return false;
  }

  #mustWait(worker: KnownWorker, shards: Shards): boolean {
    const failure = this.#failures.get(worker.workerId);
    if (failure === undefined || failure.isDue) return false;
    if (failure.bootId === worker.stats?.bootId && isSameShards(failure.shards, shards)) return true;
    failure.cancelRetry();
    return false;
  }

  // Never rejects.
  async #run(
    worker: KnownWorker,
    command: Exclude<WorkerCommand, { kind: 'none' }>,
    shards: Shards,
    epoch: number,
  ): Promise<void> {
    const { workerId } = worker;
    const { commands, onRefusal, refresh } = this.#options;
    const channel = commands(workerId);
    if (channel === undefined) return;
    this.#busy.add(workerId);
    try {
      if (command.kind === 'unload') await channel.unload(epoch);
      else await this.#hold(channel, workerId, command.shards, epoch);
      this.#failures.delete(workerId);
      this.#refusals.delete(workerId);
    } catch (thrown) {
      if (this.#isClosed || this.#options.known.get(workerId) === undefined) return;
      const error = ExpertmeshError.from(thrown);
      // A refusal of what is wanted no longer says nothing of what is.
      if (isSameShards(this.#options.wanted(workerId) ?? [], shards)) {
        this.#refusals.set(workerId, error);
        onRefusal(workerId, error);
      }
      this.#retryLater(worker, shards, error);
    } finally {
      this.#busy.delete(workerId);
      const known = this.#options.known.get(workerId);
      if (known !== undefined) this.#outdatedStats.set(workerId, known.stats);
    }
    // Only what the worker reports counts as held; the next look at it comes with these stats.
    refresh(workerId);
  }

  async #hold(channel: WorkerCommands, workerId: string, shards: Shards, epoch: number): Promise<void> {
    const { storeId, sources, placementVersion, onProgress } = this.#options;
    const request = {
      placementVersion: placementVersion(),
      storeId,
      shards: [...shards],
      epoch,
      sources: sources(workerId, shards),
    };
    await channel.hold(request, (progress) => {
      onProgress(workerId, progress);
    });
  }

  #retryLater({ workerId, stats }: KnownWorker, shards: Shards, error: ExpertmeshError): void {
    const { logger, clock, random } = this.#options;
    const numFailures = (this.#failures.get(workerId)?.numFailures ?? 0) + 1;
    logger.warn({ workerId, reason: error.message }, 'a worker could not be given its experts');
    const lacksMemory = error.code === 'resource_exhausted';
    const failure = { numFailures, shards, bootId: stats?.bootId ?? '', isDue: false, lacksMemory };
    const cancelRetry = clock.after(reconnectDelayMs(numFailures, random), () => {
      this.#failures.set(workerId, { ...failure, isDue: true, cancelRetry: () => undefined });
      this.reconcile(workerId);
    });
    this.#failures.set(workerId, { ...failure, cancelRetry });
  }
}
