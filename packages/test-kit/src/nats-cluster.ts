import { join } from 'node:path';
import OpenAI from 'openai';
import {
  ChangeProgress_State,
  type ChangeProgress,
  type ClusterView,
  type PlacementView,
  type WorkerView,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { RpcClient } from '@expertmesh/shared/rpc/client';
import { type ServerStreamMethod, type UnaryMethod } from '@expertmesh/shared/rpc/service-definition';
import { adminService, workerService } from '@expertmesh/shared/rpc/services';
import { DEMO_MODEL } from './mesh.js';
import { type CommandPrefix } from './fork-typescript.js';
import { type NetworkNamespace } from './network-namespace.js';
import { NatsServerProcess } from './nats-server.js';
import { ExpertmeshProcess, stopAll } from './process.js';
import { tempDir } from './temp-dir.js';
import { workerArgs } from './worker-fleet.js';

const CALL_TIMEOUT_MS = 60_000;
/**
 * The processes of a whole cluster share the machine with each other and with whatever else it does: a second of
 * silence is no death.
 */
const HEARTBEAT_TIMEOUT_MS = 4_000;

/** Each is a failure domain of its own. */
export interface WorkerSpec {
  readonly workerId: string;
  readonly memoryBudgetBytes?: number;
  readonly flags?: readonly string[];
  /** A command to run it under. */
  readonly prefix?: CommandPrefix;
  /** Whenever it has been started and listens. */
  readonly onStarted?: (worker: ClusterWorker) => void | Promise<void>;
}

export interface NatsClusterOptions {
  readonly storeDir: string;
  readonly coordinatorIds: readonly string[];
  readonly workers: readonly WorkerSpec[];
  /** For all coordinators. */
  readonly coordinatorFlags?: readonly string[];
  /** Where coordinators keep what they know; a directory each that goes with the tests, if absent. */
  readonly stateDir?: string;
  /** Silence after which a worker counts as away. */
  readonly heartbeatTimeoutMs?: number;
  /** Other than this machine's loopback: where the workers and nats-server listen, and each coordinator lives. */
  readonly network?: ClusterNetwork;
}

export interface ClusterNetwork {
  readonly natsHost: string;
  readonly workerHost: string;
  readonly coordinatorBoxes: ReadonlyMap<string, NetworkNamespace>;
}

/** A nats-server, coordinators and workers as processes on free ports, one thread of computation each. */
export class NatsCluster {
  readonly nats: NatsServerProcess;
  readonly coordinators = new Map<string, ClusterCoordinator>();
  readonly workers = new Map<string, ClusterWorker>();
  readonly #options: NatsClusterOptions;
  readonly #stateDirs = new Map<string, string>();

  private constructor(nats: NatsServerProcess, options: NatsClusterOptions) {
    this.nats = nats;
    this.#options = options;
  }

  /** Resolves when every coordinator is ready. `stopClusters` ends all of it, also after a failure here. */
  static async start(options: NatsClusterOptions): Promise<NatsCluster> {
    const cluster = new NatsCluster(await NatsServerProcess.start({ host: options.network?.natsHost }), options);
    running.add(cluster);
    await Promise.all([
      ...options.workers.map((worker) => cluster.addWorker(worker)),
      ...options.coordinatorIds.map((coordinatorId) => cluster.addCoordinator(coordinatorId)),
    ]);
    await Promise.all([...cluster.coordinators.values()].map((coordinator) => coordinator.ready()));
    return cluster;
  }

  coordinator(coordinatorId: string): ClusterCoordinator {
    return required(this.coordinators, coordinatorId);
  }

  worker(workerId: string): ClusterWorker {
    return required(this.workers, workerId);
  }

  /** Resolves when it listens; also for one that was killed, which then goes on with what it left on disk. */
  async addCoordinator(coordinatorId: string): Promise<ClusterCoordinator> {
    const given = this.#options.stateDir;
    const newDir = (): string => (given === undefined ? tempDir() : join(given, coordinatorId));
    const stateDir = this.#stateDirs.get(coordinatorId) ?? newDir();
    this.#stateDirs.set(coordinatorId, stateDir);
    const { storeDir, workers, coordinatorFlags = [], heartbeatTimeoutMs = HEARTBEAT_TIMEOUT_MS } = this.#options;
    const box = this.#options.network?.coordinatorBoxes.get(coordinatorId);
    const host = box?.address ?? '127.0.0.1';
    const args = [
      ...['coordinator', '--store', storeDir, '--nats-url', this.nats.url, '--coordinator-id', coordinatorId],
      ...['--state-dir', stateDir, '--host', host, '--port', '0', '--grpc-port', '0', '--num-threads', '1'],
      ...['--served-model-name', DEMO_MODEL, '--kv-cache-bytes', '100000000'],
      ...['--heartbeat-timeout-ms', String(heartbeatTimeoutMs), '--min-workers', String(workers.length)],
      ...(box === undefined ? [] : ['--plaintext-mesh']),
      ...coordinatorFlags,
    ];
    const process = ExpertmeshProcess.start(args, box?.prefix);
    const { httpPort, grpcPort } = await process.listening('coordinator');
    const coordinator = new ClusterCoordinator(coordinatorId, process, { host, httpPort, grpcPort });
    this.coordinators.set(coordinatorId, coordinator);
    return coordinator;
  }

  /** Resolves when it listens. */
  async addWorker({ workerId, memoryBudgetBytes, flags = [], prefix, onStarted }: WorkerSpec): Promise<ClusterWorker> {
    const { storeDir, network } = this.#options;
    const host = network?.workerHost ?? '127.0.0.1';
    const onNetwork = network === undefined ? [] : ['--host', host, '--plaintext-mesh'];
    const args = [
      ...workerArgs(storeDir, ['--nats-url', this.nats.url, '--worker-id', workerId, ...onNetwork, ...flags]),
      ...['--failure-domain', `box-of-${workerId}`],
      ...(memoryBudgetBytes === undefined ? [] : ['--memory-budget-bytes', String(memoryBudgetBytes)]),
    ];
    const process = ExpertmeshProcess.start(args, prefix);
    const { controlPort } = await process.listening('worker');
    const worker = new ClusterWorker(process, `${host}:${String(controlPort)}`);
    this.workers.set(workerId, worker);
    await onStarted?.(worker);
    return worker;
  }
}

interface CoordinatorPorts {
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
}

export class ClusterCoordinator {
  readonly coordinatorId: string;
  readonly process: ExpertmeshProcess;
  readonly url: string;
  readonly openai: OpenAI;
  readonly #rpc: RpcClient;

  constructor(coordinatorId: string, process: ExpertmeshProcess, { host, httpPort, grpcPort }: CoordinatorPorts) {
    this.coordinatorId = coordinatorId;
    this.process = process;
    this.url = `http://${host}:${String(httpPort)}`;
    this.openai = new OpenAI({ baseURL: `${this.url}/v1`, apiKey: 'none', maxRetries: 0 });
    this.#rpc = new RpcClient(`${host}:${String(grpcPort)}`, coordinatorId);
  }

  /** Waits until it would take a request. */
  async ready(timeoutMs?: number): Promise<void> {
    await this.process.until(async () => (await fetch(`${this.url}/health/ready`)).ok, 'is ready', timeoutMs);
  }

  /** A method of `adminService`. */
  call<Request, Response>(method: UnaryMethod<Request, Response>, request: Request): Promise<Response> {
    return this.#rpc.unary(method, request, { deadlineMs: CALL_TIMEOUT_MS, signal: NEVER });
  }

  view(): Promise<ClusterView> {
    return this.call(adminService.getCluster, {});
  }

  /** Throws for a worker that it does not know. */
  async workerView(workerId: string): Promise<WorkerView> {
    const found = (await this.view()).workers.find((worker) => worker.workerId === workerId);
    if (found === undefined) throw new Error(`${this.coordinatorId} knows no worker ${workerId}`);
    return found;
  }

  /** The one in force. */
  placement(): Promise<PlacementView> {
    return this.call(adminService.getPlacement, { version: 0 });
  }

  /** Follows a change of placement to its end, which has to be a good one. */
  async change<Request>(
    method: ServerStreamMethod<Request, ChangeProgress>,
    request: Request,
  ): Promise<ChangeProgress[]> {
    const options = { deadlineMs: CALL_TIMEOUT_MS, signal: NEVER };
    const progress: ChangeProgress[] = [];
    for await (const message of this.#rpc.serverStream(method, request, options)) progress.push(message);
    const last = progress.at(-1);
    if (last?.state !== ChangeProgress_State.STATE_DONE)
      throw new Error(`the change ended with ${JSON.stringify(last)}`);
    return progress;
  }
}

export class ClusterWorker {
  readonly process: ExpertmeshProcess;
  readonly #rpc: RpcClient;

  constructor(process: ExpertmeshProcess, controlAddress: string) {
    this.process = process;
    this.#rpc = new RpcClient(controlAddress, 'worker');
  }

  /** A method of `workerService`. */
  call<Request, Response>(method: UnaryMethod<Request, Response>, request: Request): Promise<Response> {
    return this.#rpc.unary(method, request, { deadlineMs: CALL_TIMEOUT_MS, signal: NEVER });
  }

  stats(): Promise<WorkerStats> {
    return this.call(workerService.getStats, {});
  }
}

/** What each worker of the placement is to hold, each replica as "layer/expert". */
export function replicasByWorker({ workerIds, layers }: PlacementView): Map<string, Set<string>> {
  const held = new Map(workerIds.map((workerId) => [workerId, new Set<string>()]));
  for (const { layerIndex, offsets, workerIndices } of layers)
    for (const [expertId, offset] of offsets.slice(0, -1).entries())
      for (const workerIndex of workerIndices.slice(offset, offsets[expertId + 1]))
        held.get(workerIds[workerIndex] ?? '')?.add(`${String(layerIndex)}/${String(expertId)}`);
  return held;
}

/** What a worker says that it has loaded, likewise. */
export function replicasIn({ shards }: WorkerStats): Set<string> {
  return new Set(
    shards.flatMap(({ layerIndex, expertIds }) =>
      expertIds.map((expertId) => `${String(layerIndex)}/${String(expertId)}`),
    ),
  );
}

/** Ends every cluster that a test left, and every other process of the command: for `afterAll`. */
export async function stopClusters(): Promise<void> {
  await stopAll();
  await Promise.all([...running].map(({ nats }) => nats.stop()));
  running.clear();
}

const running = new Set<NatsCluster>();
const NEVER = new AbortController().signal;

function required<Member>(members: ReadonlyMap<string, Member>, id: string): Member {
  const member = members.get(id);
  if (member === undefined) throw new Error(`no ${id} was started`);
  return member;
}
