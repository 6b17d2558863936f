import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type SimulatedProcess } from './simulated-process.js';

/** A worker, as far as rules are about it. */
export interface ObservedWorker {
  readonly workerId: string;
  readonly process: SimulatedProcess;
  readonly served: readonly LayerShard[];
  /** When it last had no room for what it was to hold beside what it holds. */
  readonly lackedMemoryMs: number;
}

/** A command of WorkerService that a worker has obeyed. */
export interface TakenCommand {
  readonly worker: ObservedWorker;
  /** The run of the coordinator that gave it. */
  readonly caller: string;
  readonly name: string;
  readonly epoch: number;
  /** Of the commands that this run of the worker had obeyed when this one came. */
  readonly highestEpoch: number;
}

/** Where a call of a Dispatch stream comes from. */
export interface CallSource {
  /** The run of the coordinator. */
  readonly caller: string;
  /** By which it may have been routed when it was sent. */
  readonly followed: readonly Placement[];
}

/** Sees what happens in a simulated cluster, to hold it against the rules. */
export interface ClusterObserver {
  commandTaken(command: TakenCommand): void;
  /** A command that is on its way: what the worker is to hold once it obeys. */
  commandSent(worker: ObservedWorker, shards: readonly LayerShard[]): void;
  /** A call of a Dispatch stream. */
  callArrived(worker: ObservedWorker, source: CallSource, call: DispatchCall): void;
  /** A call for experts that the worker does not hold. */
  callRefused(worker: ObservedWorker, caller: string, call: DispatchCall): void;
}
