import { COORDINATOR_KEY_PREFIX, coordinatorKey } from '@expertmesh/shared/cluster/cluster-keys';
import { Heartbeat } from '@expertmesh/shared/cluster/heartbeat';
import { MemberDirectory } from '@expertmesh/shared/cluster/member-directory';
import {
  encodeCoordinatorRecord,
  parseCoordinatorRecord,
  type CoordinatorLoad,
  type CoordinatorRecord,
} from '@expertmesh/shared/cluster/member-record';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type PlacementStep } from './placement/routing.js';

export interface CoordinatorIdentity {
  readonly coordinatorId: string;
  readonly bootId: string;
  /** `host:port` of its AdminService, as others reach it. */
  readonly adminAddress: string;
}

export interface CoordinatorsOptions {
  readonly controlPlane: ControlPlane;
  readonly identity: CoordinatorIdentity;
  /** What all calls of this coordinator follow by now. */
  readonly applied: () => PlacementStep;
  readonly load: () => CoordinatorLoad;
  readonly isLeading: () => boolean;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * The leader takes records out that nobody has renewed for so long: those of coordinators that died and do not come
 * back under their name.
 */
const FORGET_AFTER_MS = 600_000;
const FORGET_INTERVAL_MS = 30_000;

/** The coordinators of the cluster: this one says what it has applied, and hears it of the others. */
export class Coordinators {
  readonly #options: CoordinatorsOptions;
  readonly #heartbeat: Heartbeat;
  readonly #directory: MemberDirectory<CoordinatorRecord>;
  #cancelTimer: () => void = () => undefined;

  constructor(options: CoordinatorsOptions) {
    const { controlPlane, identity, logger, clock } = options;
    this.#options = options;
    this.#heartbeat = new Heartbeat({
      controlPlane,
      bucket: controlPlane.workers,
      key: coordinatorKey(identity.coordinatorId),
      record: (heartbeat) => encodeCoordinatorRecord({ ...this.#own(), heartbeat }),
      logger,
      clock,
    });
    this.#directory = new MemberDirectory({
      controlPlane,
      bucket: controlPlane.workers,
      keyPrefix: COORDINATOR_KEY_PREFIX,
      parse: parseCoordinatorRecord,
      onEvent: () => undefined,
      logger,
      clock,
    });
    this.#forgetDeadLater();
  }

  get ownId(): string {
    return this.#options.identity.coordinatorId;
  }

  /** Tells the others now what this coordinator has applied. */
  tell(): void {
    this.#heartbeat.beat();
  }

  /**
   * Whether every coordinator that lives has all its calls follow the step. One that is still loading has none, and
   * begins with the newest.
   */
  isApplied({ version, numLayers }: PlacementStep): boolean {
    const hasApplied = ({ appliedVersion, appliedLayers }: CoordinatorRecord): boolean =>
      appliedVersion === 0 || (appliedVersion === version && appliedLayers === numLayers);
    return this.list().every(({ isAlive, record }) => !isAlive || hasApplied(record));
  }

  /** This one included, with what it knows of itself. */
  list(): { readonly record: CoordinatorRecord; readonly isAlive: boolean }[] {
    const own = this.#own();
    const others = this.#directory
      .members()
      .filter(({ memberId }) => memberId !== own.coordinatorId)
      .map(({ record, isSilent }) => ({ record, isAlive: !isSilent }));
    return [{ record: { ...own, heartbeat: 0 }, isAlive: true }, ...others];
  }

  /** Where a coordinator's AdminService is; undefined for one that is not known. */
  adminAddress(coordinatorId: string): string | undefined {
    return this.list().find(({ record }) => record.coordinatorId === coordinatorId)?.record.adminAddress;
  }

  async close(): Promise<void> {
    this.#cancelTimer();
    this.#directory.close();
    await this.#heartbeat.close();
  }

  #forgetDeadLater(): void {
    this.#cancelTimer = this.#options.clock.after(FORGET_INTERVAL_MS, () => {
      this.#forgetDeadLater();
      if (this.#options.isLeading()) this.#forgetDead();
    });
  }

  // One that was only paused writes its record again with its next heartbeat.
  #forgetDead(): void {
    const { controlPlane, logger } = this.#options;
    if (controlPlane.state === 'away') return;
    for (const coordinatorId of this.#directory.silentFor(FORGET_AFTER_MS))
      controlPlane.workers.delete(coordinatorKey(coordinatorId)).catch((error: unknown) => {
        logger.warn({ err: error, coordinatorId }, 'could not take the record of a dead coordinator out');
      });
  }

  #own(): Omit<CoordinatorRecord, 'heartbeat'> {
    const { identity, applied, load } = this.#options;
    const { version, numLayers } = applied();
    return { formatVersion: 1, ...identity, appliedVersion: version, appliedLayers: numLayers, load: load() };
  }
}
