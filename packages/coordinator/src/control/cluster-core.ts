import { type LeaderRecord } from '@expertmesh/shared/cluster/member-record';
import { type NetworkAddress } from '@expertmesh/shared/config/network-address';
import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type OpenClient } from '@expertmesh/shared/rpc/openers';
import { type WorkerEvent } from '../membership/worker-event.js';
import { type ProbeReplica } from './change/replica-canary.js';
import { Coordinators, type CoordinatorIdentity } from './coordinators.js';
import { EngineRouting } from './engine-routing.js';
import { Leadership, type Office } from './leading/leadership.js';
import { type PlacementStep } from './placement/routing.js';
import { PlacementStore } from './placement/placement-store.js';
import { type Shards } from './placement/shards.js';
import { type StateDirectory } from './placement/state-directory.js';
import { WantedShards } from './placement/wanted-shards.js';
import { type KnownWorker } from './workers/known-workers.js';
import { irreplaceableWorkers } from './decisions/irreplaceable.js';
import { type ExpertSize, planCluster } from './planning/plan-inputs.js';
import { whyUnsettled } from './decisions/settled.js';
import { epochToExceed } from './workers/command-decision.js';
import { Membership } from './workers/membership.js';
import { fileSources } from './workers/file-sources.js';
import { WorkerCommander } from './workers/worker-commander.js';
import { WorkerRates } from './workers/worker-rates.js';

export interface ClusterCoreOptions {
  readonly storeId: string;
  readonly staticAddresses: readonly NetworkAddress[];
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly controlPlane: ControlPlane;
  readonly stateDirectory: Pick<StateDirectory, 'read' | 'write' | 'delete' | 'flush'>;
  /** Whether what was remembered may be served; asked once, at the start. */
  readonly isUsable: (placement: Placement) => boolean;
  readonly serving: ServingEvents;
  readonly expertSize: ExpertSize;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly openClient: OpenClient;
}

/** What decides whether the model can be served hears of the cluster. */
export interface ServingEvents {
  placementApplied(placement: Placement): void;
  /** @param because why there is none yet. */
  noPlacement(because: string): void;
  workerChanged(worker: KnownWorker): void;
  workerForgotten(workerId: string): void;
  /** @param note why a worker that is up lacks experts; completes "worker X ...". */
  workerLacks(workerId: string, note: string): void;
}

/** What is to be done in office, told when that begins and ends. */
export interface OfficeDuties {
  begin(office: Office): void;
  end(): void;
}

/**
 * The part of the cluster that every coordinator has, whether it leads or not: it knows the workers and the placement,
 * has the engine route by it, and, in office, has the workers hold what it says.
 */
export class ClusterCore {
  readonly store: PlacementStore;
  readonly membership: Membership;
  readonly routing: EngineRouting;
  readonly rates = new WorkerRates();
  readonly #options: ClusterCoreOptions;
  readonly #wanted = new WantedShards();
  readonly #commander: WorkerCommander;
  #leadership: Leadership | undefined;
  #coordinators: Coordinators | undefined;
  /** Where others reach the gRPC port. */
  #ownAddress: string | undefined;

  constructor(options: ClusterCoreOptions) {
    const { controlPlane, logger, serving, stateDirectory, storeId } = options;
    this.#options = options;
    this.store = new PlacementStore({
      bucket: controlPlane.placement,
      storeId,
      stateDirectory,
      isUsable: options.isUsable,
      logger,
      onChange: () => {
        this.#placementChanged();
      },
    });
    this.membership = new Membership({
      ...options,
      onEvent: (event) => {
        this.#workerEvent(event);
      },
    });
    this.routing = new EngineRouting({
      ...options,
      store: this.store,
      membership: this.membership,
      irreplaceable: () => this.#irreplaceable(),
      onApplied: (routing) => {
        serving.placementApplied(routing);
        this.#coordinators?.tell();
      },
    });
    this.#commander = this.#createCommander();
  }

  /**
   * Begins to speak with the workers and the other coordinators, as soon as it is known where those reach this one.
   *
   * @param duties of this coordinator, whenever it leads
   */
  start(identity: CoordinatorIdentity, duties: OfficeDuties): void {
    const { controlPlane, logger, clock } = this.#options;
    this.#ownAddress = identity.adminAddress;
    controlPlane.onState((state) => {
      if (state === 'connected') this.store.doubtControlPlane();
    });
    this.#placementChanged();
    this.membership.start();
    this.#coordinators = new Coordinators({
      controlPlane,
      identity,
      applied: () => this.routing.applied,
      load: () => this.routing.load(),
      isLeading: () => this.office !== undefined,
      logger,
      clock,
    });
    this.#leadership = new Leadership({
      ...identity,
      controlPlane,
      knownEpoch: () => this.#knownEpoch(),
      onOffice: (office) => {
        this.#officeChanged(office, duties);
      },
      logger,
      clock,
    });
  }

  /** undefined before `start`. */
  get coordinators(): Coordinators | undefined {
    return this.#coordinators;
  }

  /** undefined while this coordinator does not lead. */
  get office(): Office | undefined {
    return this.#leadership?.office;
  }

  get leader(): LeaderRecord | undefined {
    return this.#leadership?.leader;
  }

  /** What a worker is to hold; undefined before there is a placement. */
  wanted(workerId: string): Shards | undefined {
    const { routing } = this.store;
    return routing === undefined ? undefined : this.#wanted.of(routing, workerId);
  }

  /** What a change needs workers to hold beside that. Earlier refusals are forgotten. */
  setExtra(extra: ReadonlyMap<string, Shards>): void {
    this.#wanted.setExtra(extra);
    this.#commander.forgetRefusals();
    this.#commander.reconcileAll();
  }

  /** Why a worker has last refused what it is to hold, since that was said. */
  refusal(workerId: string): ExpertmeshError | undefined {
    return this.#commander.refusal(workerId);
  }

  /** As WorkerCommander. */
  hasObeyed(workerId: string): boolean {
    return this.#commander.hasObeyed(workerId);
  }

  /** Whether all coordinators that live have applied the step. */
  isApplied(step: PlacementStep): boolean {
    return this.#coordinators?.isApplied(step) ?? true;
  }

  readonly probe: ProbeReplica = (workerId, layerIndex, expertId) => this.routing.probe(workerId, layerIndex, expertId);

  /**
   * Why changes of placement wait; undefined once the engine has loaded, and workers hold what calls are routed to them
   * for where they can.
   */
  get whyUnsettled(): string | undefined {
    if (this.routing.engine === undefined) return 'the engine has not loaded';
    return whyUnsettled({
      workers: this.membership.known.list(),
      wanted: (workerId) => this.wanted(workerId) ?? [],
      hasRefused: (workerId) => this.refusal(workerId) !== undefined,
      nowMs: this.#options.clock.nowMs(),
    });
  }

  async close(): Promise<void> {
    this.store.close();
    this.routing.close();
    await this.#leadership?.close();
    this.#commander.close();
    this.membership.close();
    await this.#coordinators?.close();
    await this.#options.stateDirectory.flush();
  }

  #irreplaceable(): readonly string[] {
    const { routing: previous, admissions } = this.store;
    if (previous === undefined) return [];
    const { known } = this.membership;
    const { expertSize } = this.#options;
    const facts = { workers: known.list(), admissions: admissions.workers, previous, expertSize };
    const cluster = planCluster({ ...facts, secondsPerRow: 0, numLayers: 0, withRoomToMove: false });
    return irreplaceableWorkers(previous, cluster, (workerId) => known.get(workerId)?.state === 'up');
  }

  #createCommander(): WorkerCommander {
    const { storeId, serving, logger, clock, random } = this.#options;
    return new WorkerCommander({
      storeId,
      known: this.membership.known,
      commands: (workerId) => this.membership.pool.commands(workerId),
      wanted: (workerId) => this.wanted(workerId),
      sources: (workerId, shards) =>
        fileSources(workerId, shards, this.membership.known.list(), {
          controlAddress: (otherId) => this.membership.controlAddress(otherId),
          ownAddress: this.#ownAddress,
        }),
      placementVersion: () => this.store.inForce?.change?.toVersion ?? this.store.inForce?.version ?? 0,
      epoch: () => this.office?.epoch,
      refresh: (workerId) => {
        this.membership.pool.refresh(workerId);
      },
      onRefusal: (workerId, { message }) => {
        serving.workerLacks(workerId, `cannot take its experts: ${message}`);
      },
      onProgress: (workerId, { loadedLayers, totalLayers }) => {
        serving.workerLacks(workerId, `is loading (${String(loadedLayers)} of ${String(totalLayers)} layers)`);
      },
      logger,
      clock,
      random,
    });
  }

  #workerEvent(event: WorkerEvent): void {
    const { serving, logger } = this.#options;
    const { workerId } = event;
    const worker = this.membership.known.get(workerId);
    if (worker === undefined) serving.workerForgotten(workerId);
    else serving.workerChanged(worker);
    this.routing.workerEvent(event);
    switch (event.type) {
      case 'up':
        logger.info({ workerId, dataAddress: event.dataAddress }, 'worker is up');
        this.#commander.cameUp(workerId);
        return;
      case 'stats':
        this.rates.add(workerId, event.stats);
        this.#commander.reconcile(workerId);
        return;
      case 'down':
        logger.warn({ workerId, reason: event.reason }, 'worker is down');
        return;
      case 'forgotten':
        this.rates.forget(workerId);
        this.#commander.forget(workerId);
    }
  }

  // Also before `start`: nobody is reached by it then.
  #placementChanged(): void {
    this.membership.setAdmissions(this.store.admissions);
    this.membership.setPlaced((this.store.routing?.workerIds ?? []).filter((workerId) => workerId !== LOCAL_MEMBER));
    this.routing.follow();
    this.#commander.reconcileAll();
  }

  #knownEpoch(): number {
    const own = this.store.highestEpoch;
    const wanted = (workerId: string) => this.wanted(workerId);
    return Math.max(own, epochToExceed(this.membership.known.list(), own, wanted));
  }

  #officeChanged(office: Office | undefined, duties: OfficeDuties): void {
    if (office === undefined) {
      this.store.leaveOffice();
      this.#wanted.setExtra(new Map());
      duties.end();
    } else duties.begin(office);
    this.#commander.reconcileAll();
  }
}
