import {
  RouteCounts,
  RouteTally,
  type WorkerCounts,
  type WorkerCountsById,
} from '@expertmesh/shared/balance/route-counts';
import { type RoutingShape } from '@expertmesh/shared/balance/routing-shape';
import { type LayerRoutes } from '../dense/dense-runner.js';
import { type DispatchPart } from '../dispatch/route-plan.js';

/** What was routed since the last report. */
export interface RouteReport {
  /** Of RouteCounts; whoever gets it gives it back cleared. */
  readonly counts: ArrayBuffer;
  readonly workers: WorkerCountsById;
}

export interface RouteCounterOptions {
  readonly shape: RoutingShape;
  /** Takes the buffer away from this thread. */
  readonly report: (report: RouteReport) => void;
  /** Monotonic clock. */
  readonly nowMs?: () => number;
}

const REPORT_INTERVAL_MS = 1000;
/** A report is made sooner after so many rows, so that windows of 1,000 rows can slide also on a fast model. */
const ROWS_PER_REPORT = 250;

/**
 * Counts routes in the engine thread. There are two buffers: while the main thread reads one, rows are counted into the
 * other; when it is slow with that, the report waits and nothing is lost.
 */
export class RouteCounter {
  readonly #options: RouteCounterOptions;
  readonly #positions: ReadonlyMap<number, number>;
  readonly #tally: RouteTally;
  readonly #nowMs: () => number;
  #counts: RouteCounts;
  #spare: RouteCounts | undefined;
  #workers = new Map<string, WorkerCounts>();
  #reportedMs: number;

  constructor(options: RouteCounterOptions) {
    const { shape, nowMs = () => performance.now() } = options;
    this.#options = options;
    this.#positions = new Map(shape.layerIndices.map((layerIndex, position) => [layerIndex, position]));
    this.#tally = new RouteTally(shape);
    this.#nowMs = nowMs;
    this.#counts = new RouteCounts(shape);
    this.#spare = new RouteCounts(shape);
    this.#reportedMs = nowMs();
  }

  /** A batch has been routed in a layer. Rows and steps are counted in the first one that has experts. */
  observe(layerIndex: number, { expertIds, probabilitySums }: LayerRoutes): void {
    const layer = this.#positions.get(layerIndex) ?? 0;
    const { numExperts, topK } = this.#options.shape;
    this.#tally.add(this.#counts, layer, expertIds);
    if (layer === 0) this.#counts.addSteps(1, expertIds.length / topK);
    const sums = this.#counts.probabilitySums;
    const first = layer * numExperts;
    for (let i = 0; i < numExperts; i++) {
      const probability = probabilitySums[i] ?? 0;
      // What is not a number fails the rows that it is of, and must not stay in sums.
      if (probability > 0) sums[first + i] = (sums[first + i] ?? 0) + probability;
    }
  }

  /** The rows of a layer have been given to workers. @param workerIds of the placement */
  observeParts(layerIndex: number, workerIds: readonly string[], parts: readonly DispatchPart[]): void {
    const layer = this.#positions.get(layerIndex) ?? 0;
    for (const { workerIndex, expertIds, rowIndices } of parts) {
      const { tokens, rows } = this.#worker(workerIds[workerIndex] ?? '');
      tokens[layer] = (tokens[layer] ?? 0) + expertIds.length;
      rows[layer] = (rows[layer] ?? 0) + rowIndices.length;
    }
  }

  /** To be called a few times a second. */
  reportIfDue(): void {
    const isDue = this.#nowMs() - this.#reportedMs >= REPORT_INTERVAL_MS || this.#counts.numRows >= ROWS_PER_REPORT;
    if (isDue) this.report();
  }

  /** Reports what there is, unless the last report is still being read. */
  report(): void {
    if (this.#counts.numRows === 0 || this.#spare === undefined) return;
    const [{ buffer: counts }, workers] = [this.#counts, this.#workers];
    this.#counts = this.#spare;
    this.#spare = undefined;
    this.#workers = new Map();
    this.#reportedMs = this.#nowMs();
    this.#options.report({ counts, workers });
  }

  /** A report's buffer comes back, cleared. */
  takeBack(counts: ArrayBuffer): void {
    this.#spare = new RouteCounts(this.#options.shape, counts);
  }

  #worker(workerId: string): WorkerCounts {
    const known = this.#workers.get(workerId);
    if (known !== undefined) return known;
    const numLayers = this.#options.shape.layerIndices.length;
    const counts = { tokens: new Float64Array(numLayers), rows: new Float64Array(numLayers) };
    this.#workers.set(workerId, counts);
    return counts;
  }
}
