import { WORKER_KEY_PREFIX } from '@expertmesh/shared/cluster/cluster-keys';
import { MemberDirectory } from '@expertmesh/shared/cluster/member-directory';
import { parseWorkerRecord, type WorkerRecord } from '@expertmesh/shared/cluster/member-record';
import { type WorkerAdmissions } from '@expertmesh/shared/cluster/placement-document';
import { type NetworkAddress, parseNetworkAddress } from '@expertmesh/shared/config/network-address';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type OpenClient } from '@expertmesh/shared/rpc/openers';
import { type WorkerEvent } from '../../membership/worker-event.js';
import { type Member, membersAt, WorkerPool } from '../../membership/worker-pool.js';
import { KnownWorkers } from './known-workers.js';

export interface MembershipOptions {
  /** --workers: the only members there are; empty where workers register in the control plane. */
  readonly staticAddresses: readonly NetworkAddress[];
  readonly controlPlane: ControlPlane;
  readonly storeId: string;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  /** Called after `known` has taken the event in. */
  readonly onEvent: (event: WorkerEvent) => void;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly openClient: OpenClient;
}

/**
 * The workers of the cluster. One that has taken its record out of the control plane, or whose record was lost with it,
 * stays a member while the placement names it: it may come back, and until then everybody knows what is missing.
 */
export class Membership {
  readonly known: KnownWorkers;
  readonly #options: MembershipOptions;
  readonly #pool: WorkerPool;
  readonly #directory: MemberDirectory<WorkerRecord> | undefined;
  readonly #addresses = new Map<string, NetworkAddress>();
  #isOpen = false;
  #placed: readonly string[] = [];
  #admissions: Pick<WorkerAdmissions, 'workers' | 'untilRestart'> = { workers: {}, untilRestart: {} };

  constructor(options: MembershipOptions) {
    const { clock, controlPlane, logger } = options;
    this.#options = options;
    this.known = new KnownWorkers(clock);
    this.#pool = new WorkerPool({
      ...options,
      onEvent: (event) => {
        this.#tell(event);
      },
    });
    if (controlPlane.kind === 'nats')
      this.#directory = new MemberDirectory({
        controlPlane,
        bucket: controlPlane.workers,
        keyPrefix: WORKER_KEY_PREFIX,
        parse: parseWorkerRecord,
        onEvent: () => {
          this.#update();
        },
        logger,
        clock,
      });
  }

  /** Opens the sessions; events come from now on. */
  start(): void {
    this.#isOpen = true;
    this.#update();
  }

  /** @param placed workers that the placement in force names. */
  setPlaced(placed: readonly string[]): void {
    this.#placed = placed.filter((workerId) => workerId !== LOCAL_MEMBER);
    this.#update();
  }

  setAdmissions(admissions: Pick<WorkerAdmissions, 'workers' | 'untilRestart'>): void {
    this.#admissions = admissions;
    this.#update();
  }

  get pool(): Pick<WorkerPool, 'commands' | 'refresh' | 'status'> {
    return this.#pool;
  }

  /** The `host:port` of a worker's control port; undefined where it is not known. */
  controlAddress(workerId: string): NetworkAddress | undefined {
    return this.#addresses.get(workerId);
  }

  /** Whether an operator may name this worker. */
  has(workerId: string): boolean {
    return this.known.get(workerId) !== undefined;
  }

  /** Whether it keeps a record in the control plane, or is one of --workers. */
  isRegistered(workerId: string): boolean {
    return this.#registered().some((member) => member.workerId === workerId);
  }

  close(): void {
    this.#isOpen = false;
    this.#directory?.close();
    this.#pool.close();
  }

  #update(): void {
    if (!this.#isOpen) return;
    const registered = this.#registered();
    for (const { workerId, controlAddress } of registered) this.#addresses.set(workerId, controlAddress);
    // Of members that are gone for good nobody keeps anything.
    for (const workerId of this.#addresses.keys())
      if (!this.#placed.includes(workerId) && !registered.some((member) => member.workerId === workerId))
        this.#addresses.delete(workerId);
    const members = new Map(registered.map((member) => [member.workerId, member]));
    for (const workerId of this.#placed) {
      const controlAddress = this.#addresses.get(workerId);
      if (controlAddress !== undefined) members.set(workerId, { workerId, controlAddress });
    }
    const isRemoved = (workerId: string): boolean => this.#isRemoved(workerId);
    const expected = [...members.keys(), ...this.#placed].filter((workerId) => !isRemoved(workerId));
    this.known.expect(expected);
    this.#pool.setMembers([...members.values()].filter(({ workerId }) => !isRemoved(workerId)));
    // Those that nobody knew how to reach have no session that could tell.
    for (const { workerId } of this.known.list())
      if (!expected.includes(workerId)) this.#tell({ type: 'forgotten', workerId });
  }

  #tell(event: WorkerEvent): void {
    this.known.apply(event);
    this.#options.onEvent(event);
  }

  #registered(): Member[] {
    if (this.#directory === undefined) return membersAt(this.#options.staticAddresses);
    return this.#directory.members().flatMap(({ memberId, record }) => {
      const controlAddress = parseNetworkAddress(record.controlAddress, 0);
      return controlAddress === undefined ? [] : [{ workerId: memberId, controlAddress }];
    });
  }

  // Another process under the id of a removed worker is a new worker.
  #isRemoved(workerId: string): boolean {
    if (this.#admissions.workers[workerId] !== 'removed' || this.#placed.includes(workerId)) return false;
    const bootId = this.#directory?.get(workerId)?.record.bootId;
    return bootId === undefined || bootId === this.#admissions.untilRestart[workerId];
  }
}
