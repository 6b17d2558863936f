import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { createLogger, type Logger } from '@expertmesh/shared/process/logger';
import { type LayerCall } from '@expertmesh/coordinator/dispatch/expert-dispatcher';
import { callForAll, randomCall } from './layer-calls.js';
import { SafetyRules } from './safety-rules.js';
import { SimulatedCoordinator } from './simulated-coordinator.js';
import { LAYER_INDICES, NUM_EXPERTS } from './simulated-model.js';
import { SimulatedNats } from './simulated-nats.js';
import { SimulatedNetwork } from './simulated-network.js';
import { type SimulatedProcess } from './simulated-process.js';
import { SimulatedTransport } from './simulated-transport.js';
import { SimulatedWorker } from './simulated-worker.js';
import { type Simulator } from './simulator.js';

/** What a cluster is made of. */
export interface ClusterShape {
  readonly numCoordinators: number;
  readonly numWorkers: number;
  /** Replicas that each worker has memory for. */
  readonly replicasPerWorker: number;
  /** Mean time between layer calls of a coordinator. */
  readonly callIntervalMs: number;
  readonly config: CoordinatorConfig;
}

/** Coordinators, workers and a NATS server in one simulated world, with layer calls as load. */
export class SimulatedCluster {
  readonly network: SimulatedNetwork;
  readonly nats: SimulatedNats;
  readonly workers: readonly SimulatedWorker[];
  readonly coordinators: readonly SimulatedCoordinator[];
  readonly rules: SafetyRules;
  readonly #sim: Simulator;
  readonly #replicasPerWorker: number;
  readonly #callIntervalMs: number;
  #numServed = 0;
  /** Calls under way of coordinators that still run, and since when. */
  readonly #underWay = new Map<Promise<unknown>, { readonly bootId: string; readonly sinceMs: number }>();

  constructor(sim: Simulator, shape: ClusterShape) {
    const { numCoordinators, numWorkers, replicasPerWorker, callIntervalMs, config } = shape;
    this.#sim = sim;
    this.#replicasPerWorker = replicasPerWorker;
    this.#callIntervalMs = callIntervalMs;
    this.network = new SimulatedNetwork(sim);
    this.rules = new SafetyRules(sim, () => this);
    this.nats = new SimulatedNats(sim, this.network, (write) => {
      this.rules.written(write);
    });
    const { nats, rules, network } = this;
    const onWrongAnswer = rules.foundWrong.bind(rules);
    this.workers = named('w', numWorkers).map(
      (id) => new SimulatedWorker(id, replicasPerWorker, { sim, nats, observer: rules, logger: loggerOf(sim, id) }),
    );
    const openers = (process: SimulatedProcess, coordinator: SimulatedCoordinator): SimulatedTransport =>
      new SimulatedTransport({
        sim,
        network,
        process,
        workerAt: (host) => this.workers.find(({ workerId }) => workerId === host),
        onCommand: (worker, shards) => {
          rules.commandSent(worker, shards);
        },
        followed: () => coordinator.followed,
      });
    this.coordinators = named('c', numCoordinators).map(
      (id) => new SimulatedCoordinator(id, { sim, nats, config, logger: loggerOf(sim, id), openers, onWrongAnswer }),
    );
  }

  /** Whether what is left has room to move all experts. */
  get canLoseWorker(): boolean {
    const isPlaced = this.coordinators.some(({ core }) => core?.store.inForce !== undefined);
    return isPlaced && this.#replicasPerWorker * (this.workers.length - 1) >= 2 * NUM_REPLICAS;
  }

  get numServed(): number {
    return this.#numServed;
  }

  /** Calls that were late and were sent to another replica as well, by coordinators that still run. */
  get numHedges(): number {
    const hedges = this.coordinators.flatMap(({ dispatcher }) => dispatcher?.stats().hedges ?? []);
    return hedges.reduce((sum, { numHedges }) => sum + numHedges, 0);
  }

  get processes(): SimulatedProcess[] {
    return [this.nats, ...this.coordinators, ...this.workers].map(({ process }) => process);
  }

  get leaders(): SimulatedCoordinator[] {
    return this.coordinators.filter(({ core }) => core?.office !== undefined);
  }

  /** All start, one shortly after the other, and the load begins. */
  start(): void {
    for (const member of [...this.workers, ...this.coordinators])
      this.#sim.after(this.#sim.between(0, 500), () => {
        member.start();
      });
    for (const coordinator of this.coordinators) this.#callAgain(coordinator);
  }

  /** Whether calls ended that began before, of coordinators that still run. */
  get oldestCallMs(): number {
    const running = new Set(this.coordinators.map(({ process }) => process.bootId));
    const since = [...this.#underWay.values()]
      .filter(({ bootId }) => running.has(bootId))
      .map(({ sinceMs }) => sinceMs);
    return this.#sim.nowMs - Math.min(this.#sim.nowMs, ...since);
  }

  /** Asks a coordinator for all experts. @returns whether it had an answer for every row */
  async servesAll(coordinator: SimulatedCoordinator): Promise<boolean> {
    const served = LAYER_INDICES.map((layerIndex) => this.#call(coordinator, callForAll(layerIndex)));
    return (await Promise.all(served)).every(Boolean);
  }

  #callAgain(coordinator: SimulatedCoordinator): void {
    this.#sim.after(this.#sim.between(0, 2 * this.#callIntervalMs), () => {
      this.#callAgain(coordinator);
      if (coordinator.process.isRunning && !coordinator.process.isPaused)
        void this.#call(coordinator, randomCall(this.#sim));
    });
  }

  // Never rejects.
  async #call(coordinator: SimulatedCoordinator, call: LayerCall): Promise<boolean> {
    const { dispatcher } = coordinator;
    if (dispatcher?.stats().placementVersion === undefined) return false;
    const dispatched = dispatcher.dispatch(call);
    this.#underWay.set(dispatched, { bootId: coordinator.process.bootId, sinceMs: this.#sim.nowMs });
    try {
      const result = await dispatched;
      this.rules.layerCallEnded(coordinator, call, result);
      for (const [row, { message }] of result.failures)
        this.#sim.note(coordinator.process.id, `row ${String(row)} failed: ${message}`);
      this.#numServed += call.numRows - result.failures.size;
      return result.failures.size === 0;
    } finally {
      this.#underWay.delete(dispatched);
    }
  }
}

/** Replicas of the model without redundancy. */
export const NUM_REPLICAS = LAYER_INDICES.length * NUM_EXPERTS;

const named = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);

function loggerOf(sim: Simulator, who: string): Logger {
  if (sim.transcript === undefined) return SILENT;
  const write = (line: string): void => {
    const { msg, level, time: _time, pid: _pid, name: _name, ...rest } = JSON.parse(line) as Record<string, unknown>;
    if (Number(level) >= 30) sim.note(who, `${String(msg)} ${JSON.stringify(rest)}`);
  };
  return createLogger({ name: who, level: 'info', destination: { write } });
}

const SILENT = createLogger({ name: 'simulated', level: 'silent' });
