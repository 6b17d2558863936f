import { mergePlacements } from '@expertmesh/coordinator/control/placement/routing';
import { type LayerCall, type LayerResult } from '@expertmesh/coordinator/dispatch/expert-dispatcher';
import { type WrongAnswerReport } from '@expertmesh/coordinator/dispatch/wrong-answers';
import { ADMISSIONS_KEY, documentKey, IN_FORCE_KEY } from '@expertmesh/shared/cluster/cluster-keys';
import { parseLeaderRecord } from '@expertmesh/shared/cluster/member-record';
import {
  parsePlacementDocument,
  parsePlacementInForce,
  parseWorkerAdmissions,
  type PlacementInForce,
} from '@expertmesh/shared/cluster/placement-document';
import { encodeKey } from '@expertmesh/shared/control-plane/key-encoding';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type CallSource, type ClusterObserver, type ObservedWorker, type TakenCommand } from './cluster-observer.js';
import { isOfLayerCall, miscount } from './layer-calls.js';
import { type SimulatedCoordinator } from './simulated-coordinator.js';
import { type SimulatedNats, type TakenWrite } from './simulated-nats.js';
import { type SimulatedNetwork } from './simulated-network.js';
import { type SimulatedWorker } from './simulated-worker.js';
import { type Simulator } from './simulator.js';

/** A cluster in which nothing went wrong for so long has recovered from what did. */
const RECOVERY_MS = 6_000;

/** A cluster, as far as rules are about it. */
interface ObservedCluster {
  readonly network: SimulatedNetwork;
  readonly nats: SimulatedNats;
  readonly workers: readonly SimulatedWorker[];
  readonly coordinators: readonly SimulatedCoordinator[];
  readonly leaders: readonly SimulatedCoordinator[];
}

/** A leader notices a worker's death by its heartbeats, of which messages take their time. */
const NOTICE_MS = 4_000;

/** What must hold at every step, whatever happens around it. */
export class SafetyRules implements ClusterObserver {
  readonly #sim: Simulator;
  readonly #cluster: () => ObservedCluster;
  readonly #writerOfEpoch = new Map<number, string>();
  readonly #served = new Map<string, ServedBefore>();
  /** By worker and expert, of what it serves no more. */
  readonly #lastServedMs = new Map<string, number>();
  /** Experts that a run of a worker has served, also such as it has dropped since. */
  readonly #onceServed = new Set<string>();

  constructor(sim: Simulator, cluster: () => ObservedCluster) {
    this.#sim = sim;
    this.#cluster = cluster;
  }

  /** To be called after every event. */
  checkStep(): void {
    this.#checkLeaders();
    for (const worker of this.#cluster().workers) this.#lookAt(worker);
  }

  /** Each (row, expert) pair is counted once, and no row passes for done without all its experts. */
  layerCallEnded(coordinator: SimulatedCoordinator, call: LayerCall, result: LayerResult): void {
    const wrong = miscount(call, result);
    if (wrong !== undefined) this.#sim.violate('each pair is counted once', `${coordinator.process.id}: ${wrong}`);
  }

  /** Workers answer all calls rightly here, and canary rows as they did before. */
  foundWrong({ workerId, kind, what }: WrongAnswerReport): void {
    this.#sim.violate('no answer is taken for wrong', `${workerId}: ${kind}: ${what}`);
  }

  /** A worker obeys no leader of a lower epoch than it has obeyed, and one leader in an epoch. */
  commandTaken({ worker, caller, name, epoch, highestEpoch }: TakenCommand): void {
    this.#sim.note(worker.workerId, `obeys ${name} of ${caller}, epoch ${String(epoch)}`);
    if (epoch < highestEpoch)
      this.#sim.violate(
        'no stale epoch is accepted',
        `${worker.workerId} obeyed ${name} of epoch ${String(epoch)} after epoch ${String(highestEpoch)}`,
      );
    this.#requireOneWriter(epoch, caller);
  }

  /** No worker is told to drop what no other one serves, unless it has no room for what it is to hold beside that. */
  commandSent(worker: ObservedWorker, shards: readonly LayerShard[]): void {
    const kept = new Set(replicasIn(shards));
    if (this.#sim.nowMs - worker.lackedMemoryMs < NOTICE_MS) return;
    for (const { layerIndex, expertIds } of worker.served)
      for (const expertId of expertIds)
        if (!kept.has(`${String(layerIndex)} ${String(expertId)}`) && !this.#isElsewhere(worker, layerIndex, expertId))
          this.#sim.violate(
            'the last live replica is not given up',
            `${worker.workerId} is to drop ${named(layerIndex, expertId)}, which nobody else serves`,
          );
  }

  /** No replica is dropped that calls of a coordinator in good health still follow. */
  callRefused(worker: ObservedWorker, caller: string, call: DispatchCall): void {
    const { workerId, process } = worker;
    this.#sim.note(workerId, `does not hold what ${caller} asks for`);
    if (!isOfLayerCall(call.rows) || !this.#areInGoodHealth(worker, caller)) return;
    for (const expertId of call.expertIds)
      if (this.#onceServed.has(`${process.bootId} ${String(call.layerIndex)} ${String(expertId)}`))
        this.#sim.violate(
          'nothing is dropped before calls follow it no more',
          `${workerId} has dropped ${named(call.layerIndex, expertId)}, ${caller} asks for it`,
        );
  }

  /** Calls go to replicas that the coordinator's placement names. */
  callArrived({ workerId }: ObservedWorker, { caller, followed }: CallSource, call: DispatchCall): void {
    const { rows, layerIndex, expertIds } = call;
    if (!isOfLayerCall(rows)) return;
    for (const expertId of expertIds)
      if (!followed.some((placement) => holds(placement, workerId, layerIndex, expertId)))
        this.#sim.violate(
          'no call goes to a replica that is not placed',
          `${caller} asks ${workerId} for ${named(layerIndex, expertId)}`,
        );
  }

  /** Writes of leaders: epochs never fall, one writer has each, and every expert is placed. */
  written({ bucket, key, value, before, writer }: TakenWrite): void {
    if (bucket.endsWith('_leader')) {
      const { epoch, bootId } = parseLeaderRecord(value);
      this.#requireOneWriter(epoch, bootId);
    }
    if (!bucket.endsWith('_placement') || (key !== IN_FORCE_KEY && key !== ADMISSIONS_KEY)) return;
    const parse = key === IN_FORCE_KEY ? parsePlacementInForce : parseWorkerAdmissions;
    const { epoch } = parse(value);
    const epochBefore = before === undefined ? 0 : parse(before).epoch;
    this.#sim.note('nats', `takes ${key} of ${writer}: ${new TextDecoder().decode(value)}`);
    if (epoch < epochBefore)
      this.#sim.violate(
        'no stale epoch is accepted',
        `${writer} wrote ${key} of epoch ${String(epoch)} over epoch ${String(epochBefore)}`,
      );
    this.#requireOneWriter(epoch, writer);
    if (key === IN_FORCE_KEY) this.#requireComplete(parsePlacementInForce(value));
  }

  #requireOneWriter(epoch: number, writer: string): void {
    const known = this.#writerOfEpoch.get(epoch) ?? writer;
    this.#writerOfEpoch.set(epoch, known);
    if (known !== writer)
      this.#sim.violate('one writer has an epoch', `${known} and ${writer} act under epoch ${String(epoch)}`);
  }

  #requireComplete(inForce: PlacementInForce): void {
    const placement = this.#routingOf(inForce);
    if (placement === undefined) return;
    for (const [layerIndex, layer] of placement.replicas)
      for (const [expertId, holders] of layer.entries())
        if (holders.length === 0)
          this.#sim.violate(
            'every expert is placed',
            `${named(layerIndex, expertId)} is nowhere in version ${String(inForce.version)}`,
          );
  }

  #routingOf({ version, change }: PlacementInForce): Placement | undefined {
    const [from, to] = [this.#placement(version), change && this.#placement(change.toVersion)];
    return from !== undefined && change !== undefined && to !== undefined
      ? mergePlacements(from, to, change.doneLayers)
      : from;
  }

  #placement(version: number): Placement | undefined {
    const { nats } = this.#cluster();
    const value = nats.bucket('expertmesh_simulated_placement').get(encodeKey(documentKey(version)))?.value;
    try {
      return value && parsePlacementDocument(value).placement;
    } catch {
      return { version, numExperts: 0, workerIds: [], replicas: new Map([[0, [[]]]]) };
    }
  }

  #checkLeaders(): void {
    const leaders = this.#cluster().leaders;
    if (leaders.length < 2) return;
    for (const { process, core } of leaders) {
      const epoch = core?.office?.epoch;
      const other = leaders.find((leader) => leader.process !== process && leader.core?.office?.epoch === epoch);
      if (other !== undefined)
        this.#sim.violate(
          'one writer has an epoch',
          `${process.id} and ${other.process.id} lead under epoch ${String(epoch)}`,
        );
    }
  }

  #lookAt(worker: SimulatedWorker): void {
    const { workerId, servedNow, process } = worker;
    const known = this.#served.get(workerId);
    if (known?.bootId === process.bootId && known.servedNow === servedNow) return;
    const { served } = worker;
    this.#served.set(workerId, { bootId: process.bootId, servedNow, shards: served });
    for (const replica of replicasIn(known?.shards ?? []))
      this.#lastServedMs.set(`${workerId} ${replica}`, this.#sim.nowMs);
    for (const replica of replicasIn(served)) this.#onceServed.add(`${process.bootId} ${replica}`);
    this.#sim.note(workerId, `serves ${describe(served)}`);
  }

  /** Whether another worker serves it, or has until so short a time ago that nobody can know better. */
  #isElsewhere(worker: ObservedWorker, layerIndex: number, expertId: number): boolean {
    const sinceMs = this.#sim.nowMs - NOTICE_MS;
    return this.#cluster().workers.some(
      (other) =>
        other !== worker &&
        (serves(other, layerIndex, expertId) ||
          (this.#lastServedMs.get(`${other.workerId} ${String(layerIndex)} ${String(expertId)}`) ?? -Infinity) >
            sinceMs),
    );
  }

  /** Whether nothing kept a change of placement from waiting for the coordinator, nor the worker from its leader. */
  #areInGoodHealth(worker: ObservedWorker, caller: string): boolean {
    const { coordinators, nats, network } = this.#cluster();
    const sinceMs = this.#sim.nowMs - RECOVERY_MS;
    const callers = coordinators.filter(({ process, core }) => process.bootId === caller || core?.office !== undefined);
    return (
      network.troubledMs < sinceMs &&
      [nats, worker, ...callers].every(
        ({ process }) => process.isRunning && process.troubledMs < sinceMs && !network.isCutOff(process),
      )
    );
  }
}

interface ServedBefore {
  readonly bootId: string;
  readonly servedNow: object | undefined;
  readonly shards: readonly LayerShard[];
}

function holds({ workerIds, replicas }: Placement, workerId: string, layerIndex: number, expertId: number): boolean {
  return replicas.get(layerIndex)?.[expertId]?.includes(workerIds.indexOf(workerId)) === true;
}

const serves = ({ served }: SimulatedWorker, layerIndex: number, expertId: number): boolean =>
  served.some((shard) => shard.layerIndex === layerIndex && shard.expertIds.includes(expertId));

const replicasIn = (shards: readonly LayerShard[]): string[] =>
  shards.flatMap(({ layerIndex, expertIds }) =>
    expertIds.map((expertId) => `${String(layerIndex)} ${String(expertId)}`),
  );

const describe = (shards: readonly LayerShard[]): string =>
  shards.length === 0
    ? 'nothing'
    : shards.map(({ layerIndex, expertIds }) => `${String(layerIndex)}:${expertIds.join(',')}`).join(' ');

const named = (layerIndex: number, expertId: number): string =>
  `expert ${String(expertId)} of layer ${String(layerIndex)}`;
