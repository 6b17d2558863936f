import { formatNetworkAddress, type NetworkAddress } from '@expertmesh/shared/config/network-address';
import { type Clock, systemClock } from '@expertmesh/shared/rpc/clock';
import { type OpenClient } from '@expertmesh/shared/rpc/openers';
import { type WorkerCommands } from './worker-channel.js';
import { type WorkerEvent, type WorkerStatus } from './worker-event.js';
import { WorkerSession } from './worker-session.js';

export interface WorkerPoolOptions {
  readonly storeId: string;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly onEvent: (event: WorkerEvent) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly openClient: OpenClient;
}

/** A worker that the cluster knows, whether it lives or not. */
export interface Member {
  readonly workerId: string;
  readonly controlAddress: NetworkAddress;
}

/** Static members: a worker's id is its control address. */
export function membersAt(controlAddresses: readonly NetworkAddress[]): Member[] {
  return controlAddresses.map((controlAddress) => ({ workerId: formatNetworkAddress(controlAddress), controlAddress }));
}

/** One session for each member. Events come later, and from within `setMembers` for members that have gone or moved. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #sessions = new Map<string, WorkerSession>();

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Sessions of members that stay go on, at another address anew. */
  setMembers(members: readonly Member[]): void {
    const wanted = new Map(members.map((member) => [member.workerId, member]));
    for (const [workerId, session] of this.#sessions) {
      const member = wanted.get(workerId);
      if (member !== undefined && isSameAddress(member.controlAddress, session.controlAddress)) continue;
      session.close();
      this.#sessions.delete(workerId);
      const news = member === undefined ? FORGOTTEN : MOVED;
      this.#options.onEvent({ ...news, workerId });
    }
    for (const member of wanted.values()) if (!this.#sessions.has(member.workerId)) this.#open(member);
  }

  status(): WorkerStatus[] {
    return [...this.#sessions.values()].map((session) => session.status());
  }

  /** undefined while the worker is not up. */
  commands(workerId: string): WorkerCommands | undefined {
    return this.#sessions.get(workerId)?.commands;
  }

  /** Asks a worker for its stats now instead of at the next heartbeat. */
  refresh(workerId: string): void {
    this.#sessions.get(workerId)?.refresh();
  }

  /** Leaves the workers as they are; no event comes afterwards. */
  close(): void {
    for (const session of this.#sessions.values()) session.close();
  }

  #open(member: Member): void {
    const { clock = systemClock, random = Math.random } = this.#options;
    this.#sessions.set(member.workerId, new WorkerSession({ ...this.#options, ...member, clock, random }));
  }
}

const FORGOTTEN = { type: 'forgotten' } as const;
const MOVED = { type: 'down', reason: 'it has another address now' } as const;

const isSameAddress = (a: NetworkAddress, b: NetworkAddress): boolean => a.host === b.host && a.port === b.port;
