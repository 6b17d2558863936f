import { ExpertmeshError } from '../errors/expertmesh-error.js';
import {
  balancedness,
  capacityWeightedBalancedness,
  overLayers,
  type LayersBalancedness,
} from '../placement/balance-measures.js';
import { type PlanCluster } from '../placement/plan-cluster.js';
import { LOCAL_MEMBER, type Placement } from '../placement/placement.js';
import { type WireDtype } from '../rpc/dispatch-message.js';
import { elementBytes, numScales } from '../rpc/wire-rows.js';
import { DispatchSimulation, type SimulatedDispatch } from './dispatch-simulation.js';
import { type TraceHeader } from './trace-header.js';
import { numDecodeRows, type TraceStep } from './trace-step.js';

/** What a window of the trace would have been on the cluster, by the placement that was in force in it. */
export interface WindowMeasures {
  readonly numTokens: number;
  readonly numDecodeTokens: number;
  readonly numSteps: number;
  readonly placementVersion: number;
  /** Of routed tokens: mean over largest worker. */
  readonly balancedness: LayersBalancedness;
  /** The same with each worker's tokens over its speed. */
  readonly capacityWeightedBalancedness: LayersBalancedness;
  /** Of routed tokens, each worker of the cluster in its order. */
  readonly tokenShares: readonly number[];
  /** Experts and wire of all layers of one step, without attention and head; mean over the window's steps. */
  readonly stepSeconds: number;
  /** Rows, ids and weights of all layers, both ways; without framing. */
  readonly wireBytes: number;
  /** Distinct workers that a row is sent to, mean over rows and layers. */
  readonly workersPerToken: number;
}

/** An expert's id and its routing weight. */
const PAIR_BYTES = 8;
/** Where a row's pairs begin. */
const ROW_OFFSET_BYTES = 4;

/**
 * Adds up what the steps of one window after the other cost by one placement. Workers are in the order of the placement
 * until the end.
 */
export class ReplayWindow {
  readonly #header: TraceHeader;
  readonly #placement: Placement;
  readonly #cluster: PlanCluster;
  readonly #simulation: DispatchSimulation;
  readonly #workers: readonly PlanCluster['workers'][number][];
  readonly #isOnWire: readonly boolean[];
  readonly #rowBytes: number;
  /** [layers, workers] */
  readonly #tokens: Float64Array;
  #numTokens = 0;
  #numDecodeTokens = 0;
  #numSteps = 0;
  #seconds = 0;
  #wireBytes = 0;
  #numActive = 0;
  #numRowsSent = 0;

  constructor(header: TraceHeader, placement: Placement, cluster: PlanCluster, wireDtype: WireDtype) {
    const { hiddenSize, layerIndices, topK } = header;
    this.#header = header;
    this.#placement = placement;
    this.#cluster = cluster;
    this.#workers = placement.workerIds.map((workerId) => workerOf(cluster, workerId));
    this.#simulation = new DispatchSimulation(placement, this.#workers, layerIndices, topK);
    this.#isOnWire = placement.workerIds.map((workerId) => workerId !== LOCAL_MEMBER);
    const bytesOneWay = elementBytes(wireDtype, 1, hiddenSize) + 4 * numScales(wireDtype, 1, hiddenSize);
    this.#rowBytes = 2 * bytesOneWay + ROW_OFFSET_BYTES;
    this.#tokens = new Float64Array(layerIndices.length * placement.workerIds.length);
  }

  get numTokens(): number {
    return this.#numTokens;
  }

  add(step: TraceStep): void {
    const { layerIndices, topK } = this.#header;
    const idsPerLayer = step.numRows * topK;
    for (let layer = 0; layer < layerIndices.length; layer++) {
      const ids = step.expertIds.subarray(layer * idsPerLayer, (layer + 1) * idsPerLayer);
      this.#addLayer(layer, this.#simulation.pass(layer, ids));
    }
    this.#numTokens += step.numRows;
    this.#numDecodeTokens += numDecodeRows(step);
    this.#numSteps += 1;
  }

  /** The window's measures; what is added from now on is of the next one. */
  end(): WindowMeasures {
    const measures = this.#measures();
    this.#tokens.fill(0);
    this.#numTokens = 0;
    this.#numDecodeTokens = 0;
    this.#numSteps = 0;
    this.#seconds = 0;
    this.#wireBytes = 0;
    this.#numActive = 0;
    this.#numRowsSent = 0;
    return measures;
  }

  #measures(): WindowMeasures {
    const { layerIndices, topK } = this.#header;
    const numWorkers = this.#workers.length;
    const ofLayers = layerIndices.map((_, layer) =>
      this.#tokens.subarray(layer * numWorkers, (layer + 1) * numWorkers),
    );
    const numRouted = this.#numTokens * topK * layerIndices.length;
    const speeds = this.#speeds(this.#numActive / numRouted);
    return {
      numTokens: this.#numTokens,
      numDecodeTokens: this.#numDecodeTokens,
      numSteps: this.#numSteps,
      placementVersion: this.#placement.version,
      balancedness: overLayers(ofLayers.map(balancedness)),
      capacityWeightedBalancedness: overLayers(ofLayers.map((tokens) => capacityWeightedBalancedness(tokens, speeds))),
      tokenShares: this.#cluster.workers.map(({ workerId }) => {
        const w = this.#placement.workerIds.indexOf(workerId);
        return w < 0 ? 0 : ofLayers.reduce((sum, tokens) => sum + (tokens[w] ?? 0), 0) / numRouted;
      }),
      stepSeconds: this.#seconds / this.#numSteps,
      wireBytes: this.#wireBytes,
      workersPerToken: this.#numRowsSent / (this.#numTokens * layerIndices.length),
    };
  }

  #addLayer(layer: number, { tokens, rows, activeExperts }: SimulatedDispatch): void {
    const numWorkers = this.#workers.length;
    let slowest = 0;
    let numRows = 0;
    for (let w = 0; w < numWorkers; w++) {
      const [ofWorker, active, sent] = [tokens[w] ?? 0, activeExperts[w] ?? 0, rows[w] ?? 0];
      const worker = this.#workers[w];
      const seconds = active * (worker?.secondsPerActiveExpert ?? 0) + ofWorker * (worker?.secondsPerToken ?? 0);
      if (seconds > slowest) slowest = seconds;
      if (this.#isOnWire[w] === true) this.#wireBytes += sent * this.#rowBytes + ofWorker * PAIR_BYTES;
      this.#tokens[layer * numWorkers + w] = (this.#tokens[layer * numWorkers + w] ?? 0) + ofWorker;
      this.#numActive += active;
      numRows += sent;
    }
    this.#numRowsSent += numRows;
    this.#seconds += slowest + this.#cluster.secondsPerRow * numRows;
  }

  // Routed tokens per second, reading weights included, at the window's own mix.
  #speeds(activePerToken: number): number[] {
    return this.#workers.map(
      ({ secondsPerActiveExpert, secondsPerToken }) => 1 / (secondsPerActiveExpert * activePerToken + secondsPerToken),
    );
  }
}

function workerOf(cluster: PlanCluster, workerId: string): PlanCluster['workers'][number] {
  const worker = cluster.workers.find((candidate) => candidate.workerId === workerId);
  if (worker !== undefined) return worker;
  throw new ExpertmeshError(
    'invalid_argument',
    `the placement has a worker ${workerId} that the cluster has not: ` +
      'add it to the cluster, or plan a placement for this one',
  );
}
