import { type CoordinatorLoad } from '@expertmesh/shared/cluster/member-record';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type WorkerCosts } from '../dispatch/worker-cost.js';
import { type WorkerEvent } from '../membership/worker-event.js';
import { pollUntil } from './change/poll-until.js';
import { type ProbeReplica } from './change/replica-canary.js';
import { type EngineSide } from './engine-side.js';
import { PlacementFollower } from './placement/placement-follower.js';
import { type PlacementStore } from './placement/placement-store.js';
import { type PlacementStep } from './placement/routing.js';
import { includesShards, shardsOf } from './placement/shards.js';
import { type KnownWorker } from './workers/known-workers.js';
import { differNotably, measuredCosts } from './workers/measured-costs.js';
import { type Membership } from './workers/membership.js';

export interface EngineRoutingOptions {
  readonly store: Pick<PlacementStore, 'inForce' | 'routing'>;
  readonly membership: Pick<Membership, 'known' | 'pool'>;
  readonly heartbeatTimeoutMs: number;
  /** Workers whose experts find no room elsewhere. */
  readonly irreplaceable: () => readonly string[];
  /** All calls follow it by now. */
  readonly onApplied: (routing: Placement) => void;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Costs change slowly, and finding out whether they have looks at all workers. */
const COSTS_INTERVAL_MS = 5_000;

/** Tells the engine, from when it has loaded, which workers there are, what they cost, and where the experts are. */
export class EngineRouting {
  readonly #options: EngineRoutingOptions;
  readonly #follower: PlacementFollower;
  readonly #closing = new AbortController();
  #engine: EngineSide | undefined;
  #toldCosts: WorkerCosts = new Map();
  #lookedAtCostsMs = -Infinity;
  #toldIrreplaceable: string | undefined;

  constructor(options: EngineRoutingOptions) {
    const { store, logger, onApplied } = options;
    this.#options = options;
    this.#follower = new PlacementFollower({
      current: () => {
        const { inForce, routing } = store;
        return inForce === undefined || routing === undefined ? undefined : { inForce, routing };
      },
      confirm: (routing) => this.#confirm(routing),
      onApplied,
      onFailure: (error) => {
        logger.warn({ reason: error.message }, 'the engine did not take the placement');
      },
    });
  }

  /** The engine has loaded: it hears what has happened so far, and everything from now on. */
  attach(engine: EngineSide): void {
    const { known } = this.#options.membership;
    this.#engine = engine;
    for (const { workerId, state, dataAddress } of known.list())
      if (state === 'up' && dataAddress !== undefined) engine.setWorkerUp(workerId, dataAddress);
    this.#tellCosts(engine);
    this.#tellIrreplaceable();
    this.#follower.attach((placement) => engine.setPlacement(placement));
  }

  /** undefined until it has loaded. */
  get engine(): EngineSide | undefined {
    return this.#engine;
  }

  /** The step that all calls follow by now. */
  get applied(): PlacementStep {
    return this.#follower.applied;
  }

  load(): CoordinatorLoad {
    return this.#engine?.load() ?? NO_LOAD;
  }

  /** To be called when what is in force has changed. */
  follow(): void {
    this.#follower.follow();
    this.#tellIrreplaceable();
  }

  workerEvent(event: WorkerEvent): void {
    const { workerId } = event;
    switch (event.type) {
      case 'up':
        this.#engine?.setWorkerUp(workerId, event.dataAddress);
        break;
      case 'stats':
        if (this.#engine !== undefined) this.#tellCosts(this.#engine);
        return;
      case 'down':
        this.#engine?.setWorkerDown(workerId, event.reason);
        break;
      case 'forgotten':
        this.#engine?.forgetWorker(workerId);
    }
    this.#tellIrreplaceable();
  }

  readonly probe: ProbeReplica = async (workerId, layerIndex, expertId) => {
    if (this.#engine === undefined) throw new ExpertmeshError('unavailable', 'the engine has not loaded yet');
    return this.#engine.probeReplica(workerId, layerIndex, expertId);
  };

  close(): void {
    this.#closing.abort();
  }

  #tellCosts(engine: EngineSide): void {
    const { clock, membership } = this.#options;
    if (clock.nowMs() - this.#lookedAtCostsMs < COSTS_INTERVAL_MS) return;
    this.#lookedAtCostsMs = clock.nowMs();
    const costs = measuredCosts(membership.known.list());
    this.#tellIrreplaceable();
    if (!differNotably(this.#toldCosts, costs)) return;
    this.#toldCosts = costs;
    engine.setWorkerCosts(costs);
  }

  // Looks at all experts of all workers, so that it is done when somebody comes or goes, and every few seconds for what
  // workers say of their memory.
  #tellIrreplaceable(): void {
    if (this.#engine === undefined || this.#options.store.routing === undefined) return;
    const workerIds = this.#options.irreplaceable();
    const told = workerIds.join();
    if (told === this.#toldIrreplaceable) return;
    this.#toldIrreplaceable = told;
    this.#engine.setIrreplaceable(workerIds);
  }

  /** Asks workers that lack experts by the last that was heard of them. */
  async #confirm(routing: Placement): Promise<void> {
    const { clock, heartbeatTimeoutMs, membership } = this.#options;
    const { known, pool } = membership;
    const outdated = known
      .list()
      .filter(({ state, holds, workerId }) => state === 'up' && !includesShards(holds, shardsOf(routing, workerId)));
    for (const { workerId } of outdated) pool.refresh(workerId);
    const hasSpoken = ({ workerId, stats }: KnownWorker): boolean => known.get(workerId)?.stats !== stats;
    const options = { clock, timeoutMs: heartbeatTimeoutMs, signal: this.#closing.signal, expected: 'no answer' };
    // One that says nothing is about to be away; calls are routed past it then.
    await pollUntil(() => outdated.every(hasSpoken), options).catch(() => undefined);
  }
}

const NO_LOAD: CoordinatorLoad = {
  generationTokensPerSecond: 0,
  promptTokensPerSecond: 0,
  numRunning: 0,
  numWaiting: 0,
  kvCacheUsage: 0,
};
