import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type SimulatedWorker } from './simulated-worker.js';

/** A command of WorkerService that a worker has obeyed. */
export interface TakenCommand {
  readonly worker: SimulatedWorker;
  /** The run of the coordinator that gave it. */
  readonly caller: string;
  readonly name: string;
  readonly epoch: number;
  /** Of the commands that this run of the worker had obeyed when this one came. */
  readonly highestEpoch: number;
}

/** Sees what happens in a simulated cluster, to hold it against the rules. */
export interface ClusterObserver {
  commandTaken(command: TakenCommand): void;
  /** A command that is on its way: what the worker is to hold once it obeys. */
  commandSent(worker: SimulatedWorker, shards: readonly LayerShard[]): void;
  /** A call for experts that the worker does not hold. */
  callRefused(worker: SimulatedWorker, caller: string, call: DispatchCall): void;
}
