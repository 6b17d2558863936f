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
  readonly logger: Logger;
  readonly clock: Clock;
}

/** The coordinators of the cluster: this one says what it has applied, and hears it of the others. */
export class Coordinators {
  readonly #options: CoordinatorsOptions;
  readonly #heartbeat: Heartbeat;
  readonly #directory: MemberDirectory<CoordinatorRecord>;

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
  }

  get ownId(): string {
    return this.#options.identity.coordinatorId;
  }

  /** Tells the others now what this coordinator has applied. */
  tell(): void {
    this.#heartbeat.beat();
  }

  /** Whether every coordinator that lives has all its calls follow the step. */
  isApplied({ version, numLayers }: PlacementStep): boolean {
    return this.list().every(
      ({ isAlive, record }) => !isAlive || (record.appliedVersion === version && record.appliedLayers === numLayers),
    );
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
    this.#directory.close();
    await this.#heartbeat.close();
  }

  #own(): Omit<CoordinatorRecord, 'heartbeat'> {
    const { identity, applied, load } = this.#options;
    const { version, numLayers } = applied();
    return { formatVersion: 1, ...identity, appliedVersion: version, appliedLayers: numLayers, load: load() };
  }
}
