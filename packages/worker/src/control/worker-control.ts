import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packedBytesOfAll } from '@expertmesh/shared/expert-store/shard-blobs';
import {
  WorkerState,
  type AssignResponse,
  type LayerShard,
  type LoadProgress,
  type LoadRequest,
  type UnloadRequest,
} from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { checkAssignment, isSameAssignment, type Assignment, type ExpertMemory } from '../shards/assignment.js';
import { CommandEpoch } from './command-epoch.js';
import { type Compute, type OnProgress } from '../calls/compute-client.js';

export interface WorkerControlOptions {
  readonly store: ExpertStore;
  readonly memory: ExpertMemory;
  readonly compute: Compute;
  /** Called whenever the worker begins or ceases to answer calls. */
  readonly onServing: (isServing: boolean) => void;
}

/** As GetStats tells them. */
export interface ControlState extends HeldExperts {
  readonly state: WorkerState;
  /** The highest that commanded this process. */
  readonly epoch: number;
  /** Served, but for that their weights were wrong. */
  readonly numWithdrawnExperts: number;
  /** Of the expert that was withdrawn last; empty before the first. */
  readonly lastDamage: string;
}

interface HeldExperts {
  /** 0 when nothing is loaded. */
  readonly placementVersion: number;
  readonly packedBytes: number;
  readonly numExpertsLoaded: number;
  readonly shards: LayerShard[];
}

interface RunningLoad {
  readonly assignment: Assignment;
  readonly waiters: Set<OnProgress>;
  readonly abort: AbortController;
  readonly done: Promise<void>;
  /** Since it began. It may have kept them as they are, or have read the same pages anew. */
  readonly withdrawn: WithdrawnExpert[];
  lastProgress: LoadProgress | undefined;
}

interface WithdrawnExpert {
  readonly layerIndex: number;
  readonly expertId: number;
}

/**
 * What this worker is to hold and what it holds: idle, loading, serving, and at last draining. Commands carry the epoch
 * of the leader that gives them, and one from a leader that has been replaced is refused.
 */
export class WorkerControl {
  readonly #options: WorkerControlOptions;
  readonly #epoch = new CommandEpoch();
  #assigned: Assignment | undefined;
  #served: Assignment | undefined;
  #held = NOTHING_HELD;
  #lastDamage = '';
  #load: RunningLoad | undefined;
  #isDraining = false;

  constructor(options: WorkerControlOptions) {
    this.#options = options;
  }

  /**
   * Nothing is loaded yet. A new leader's assignment ends the load of another one that its predecessor began.
   *
   * @throws ExpertmeshError as CommandEpoch and checkAssignment, and `failed_precondition` while another assignment of
   * the same leader is being loaded.
   */
  assign(assignment: Assignment): AssignResponse {
    this.#epoch.require(assignment.epoch);
    this.#refuseWhenDraining();
    const { store, memory } = this.#options;
    const load = this.#load;
    const isOtherLoading = load !== undefined && !isSameAssignment(load.assignment, assignment);
    if (isOtherLoading && load.assignment.epoch < assignment.epoch) load.abort.abort();
    if (isOtherLoading && !load.abort.signal.aborted)
      throw new ExpertmeshError(
        'failed_precondition',
        `placement version ${String(load.assignment.placementVersion)} is being loaded: ` +
          'wait for it, or cancel that Load',
      );
    const response = checkAssignment(assignment, store, this.#served, memory);
    this.#assigned = assignment;
    return response;
  }

  /**
   * Loads what is assigned and serves it. Several callers of the same version share one load; it goes on until the last
   * of them has given up.
   *
   * @throws ExpertmeshError `failed_precondition` for a version that is not assigned, `cancelled` after an abort, and
   * as CommandEpoch and ShardHost.
   */
  async load(
    { placementVersion, epoch, sources }: LoadRequest,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<void> {
    this.#epoch.require(epoch);
    while (this.#load?.abort.signal.aborted === true) await isOver(this.#load);
    this.#refuseWhenDraining();
    const assigned = this.#requireAssigned(placementVersion);
    const load = (this.#load ??= this.#startLoad(assigned, sources));
    load.waiters.add(onProgress);
    if (load.lastProgress !== undefined) onProgress(load.lastProgress);
    const leave = (): void => {
      load.waiters.delete(onProgress);
      if (load.waiters.size === 0) load.abort.abort();
    };
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    try {
      await load.done;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /**
   * An expert's weights are wrong: it is not held any more, until a leader has it loaded again. Resolves when no call
   * is answered with them any more.
   */
  async withdraw(layerIndex: number, expertId: number, because: string): Promise<void> {
    this.#load?.withdrawn.push({ layerIndex, expertId });
    await this.#options.compute.withdraw(layerIndex, expertId);
    this.#lastDamage = because;
    this.#held = withoutExpert(this.#held, layerIndex, expertId, this.#options.store);
  }

  /** @returns the highest epoch that has commanded this worker, which is forgotten. */
  resetEpoch(): number {
    return this.#epoch.reset();
  }

  /** @throws ExpertmeshError as CommandEpoch. */
  async unload({ epoch }: UnloadRequest): Promise<void> {
    const { compute, onServing } = this.#options;
    this.#epoch.require(epoch);
    this.#assigned = undefined;
    await this.#endLoad();
    this.#served = undefined;
    this.#held = NOTHING_HELD;
    onServing(false);
    await compute.unload();
  }

  /**
   * For good: a drained worker serves again after a restart. Returns how many queued calls had not ended when `signal`
   * aborted.
   */
  async drain(signal: AbortSignal): Promise<number> {
    this.#isDraining = true;
    this.#options.onServing(false);
    const [numFailedCalls] = await Promise.all([this.#options.compute.drain(signal), this.#endLoad()]);
    return numFailedCalls;
  }

  state(): ControlState {
    const numServed = numExpertsOf(this.#served?.shards ?? []);
    return {
      state: this.#state(),
      epoch: this.#epoch.highest,
      numWithdrawnExperts: numServed - this.#held.numExpertsLoaded,
      lastDamage: this.#lastDamage,
      ...this.#held,
    };
  }

  #state(): WorkerState {
    if (this.#isDraining) return WorkerState.WORKER_STATE_DRAINING;
    if (this.#load !== undefined) return WorkerState.WORKER_STATE_LOADING;
    return this.#served === undefined ? WorkerState.WORKER_STATE_IDLE : WorkerState.WORKER_STATE_SERVING;
  }

  #startLoad(assignment: Assignment, sources: readonly string[]): RunningLoad {
    const waiters = new Set<OnProgress>();
    const abort = new AbortController();
    const onProgress = (progress: LoadProgress): void => {
      load.lastProgress = progress;
      for (const tell of waiters) tell(progress);
    };
    const withdrawn: WithdrawnExpert[] = [];
    const done = this.#runLoad(assignment, sources, withdrawn, onProgress, abort.signal);
    const load: RunningLoad = { assignment, waiters, abort, done, withdrawn, lastProgress: undefined };
    return load;
  }

  async #runLoad(
    assignment: Assignment,
    sources: readonly string[],
    withdrawn: readonly WithdrawnExpert[],
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<void> {
    const { compute, store } = this.#options;
    try {
      await compute.load(assignment, onProgress, signal, sources);
      for (const { layerIndex, expertId } of withdrawn)
        if (isAssigned(assignment, layerIndex, expertId)) await compute.withdraw(layerIndex, expertId);
      this.#served = assignment;
      this.#held = withdrawn.reduce(
        (held, { layerIndex, expertId }) => withoutExpert(held, layerIndex, expertId, store),
        heldBy(assignment, store),
      );
      this.#options.onServing(!this.#isDraining);
    } finally {
      this.#load = undefined;
    }
  }

  async #endLoad(): Promise<void> {
    // Another load may have begun by the time that the first one is over.
    for (let load = this.#load; load !== undefined; load = this.#load) {
      load.abort.abort();
      await isOver(load);
    }
  }

  #requireAssigned(placementVersion: number): Assignment {
    if (this.#assigned?.placementVersion === placementVersion) return this.#assigned;
    const assigned =
      this.#assigned === undefined ? 'nothing is' : `version ${String(this.#assigned.placementVersion)} is`;
    throw new ExpertmeshError(
      'failed_precondition',
      `placement version ${String(placementVersion)} is not assigned, ${assigned}: assign it first`,
    );
  }

  #refuseWhenDraining(): void {
    if (this.#isDraining)
      throw new ExpertmeshError('unavailable', 'this worker is draining: it takes experts again after a restart');
  }
}

const NOTHING_HELD: HeldExperts = { placementVersion: 0, packedBytes: 0, numExpertsLoaded: 0, shards: [] };

// Once for each assignment, as every heartbeat asks for it.
const heldBy = (
  { placementVersion, shards }: Pick<Assignment, 'placementVersion' | 'shards'>,
  store: ExpertStore,
): HeldExperts => ({
  placementVersion,
  packedBytes: packedBytesOfAll(store, shards),
  numExpertsLoaded: numExpertsOf(shards),
  shards,
});

const isAssigned = ({ shards }: Assignment, layerIndex: number, expertId: number): boolean =>
  shards.some((shard) => shard.layerIndex === layerIndex && shard.expertIds.includes(expertId));

const numExpertsOf = (shards: readonly LayerShard[]): number =>
  shards.reduce((sum, { expertIds }) => sum + expertIds.length, 0);

function withoutExpert(
  { placementVersion, shards }: HeldExperts,
  layerIndex: number,
  expertId: number,
  store: ExpertStore,
): HeldExperts {
  const remaining = shards.map((shard) =>
    shard.layerIndex === layerIndex
      ? { layerIndex, expertIds: shard.expertIds.filter((held) => held !== expertId) }
      : shard,
  );
  const held = remaining.filter(({ expertIds }) => expertIds.length > 0);
  return heldBy({ placementVersion, shards: held }, store);
}

// Whether it was cancelled, failed or has loaded is for its own callers.
const isOver = (load: RunningLoad): Promise<void> => load.done.catch(() => undefined);
