import { CountSums } from '../balance/count-sums.js';
import { RouteCounts, RouteTally } from '../balance/route-counts.js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type ExpertLoads } from '../placement/expert-loads.js';
import { type PlanCluster } from '../placement/plan-cluster.js';
import { planPlacement, type PlacementPolicy, type PlanOptions } from '../placement/plan-placement.js';
import { type Placement } from '../placement/placement.js';
import { type WireDtype } from '../rpc/dispatch-message.js';
import { ReplayWindow, type WindowMeasures } from './replay-window.js';
import { type TraceHeader } from './trace-header.js';
import { type TraceStep } from './trace-step.js';

export interface ReplayOptions {
  /** A cluster that may not exist. */
  readonly cluster: PlanCluster;
  /** What is in force in the first window; contiguous if absent. */
  readonly start?: Placement;
  /** How placements are planned from what the trace had until then. Absent: `start` stays in force. */
  readonly policy?: PlacementPolicy;
  /** Plans anew after every so many windows; absent: once, after the first. */
  readonly rebalanceEveryWindows?: number;
  /** Rows of a window (1,000). */
  readonly windowTokens?: number;
  readonly plan?: PlanOptions;
  /** How rows travel (fp32). */
  readonly wireDtype?: WireDtype;
}

/** A window, and what was done after it. */
export interface ReplayedWindow extends WindowMeasures {
  /** What was moved at the end of the window, before the next one. */
  readonly moves?: { readonly numLoads: number; readonly numDrops: number; readonly bytesToMove: number };
}

/** Means weigh a window by its tokens; the last window may be short. */
export interface Replay {
  readonly windows: readonly ReplayedWindow[];
  readonly numTokens: number;
  readonly meanBalancedness: number;
  /** Worst layer of a window, mean over windows. */
  readonly worstBalancedness: number;
  readonly meanCapacityWeightedBalancedness: number;
  readonly stepSeconds: number;
  readonly wireBytes: number;
  readonly numMoves: number;
  readonly bytesMoved: number;
  /** In force at the end. */
  readonly placement: Placement;
}

export interface Trace {
  readonly header: TraceHeader;
  steps(): AsyncIterable<TraceStep>;
}

/**
 * Takes the routes of a trace through placements and a cluster. Replicas are chosen as at dispatch and each step is
 * costed as planning costs it, but from what really was in the step. A placement is only ever planned from windows that
 * lie before those that it is used in.
 *
 * @throws ExpertmeshError as planning and TraceReader do; `invalid_argument` for a placement that is not of this model
 * and cluster.
 */
export async function replayTrace(trace: Trace, options: ReplayOptions): Promise<Replay> {
  const { header } = trace;
  const { windowTokens = 1000, rebalanceEveryWindows = Infinity } = options;
  let placement = options.start ?? planPlacement('contiguous', options.cluster, noLoads(header)).placement;
  checkPlacement(placement, header);
  let observed = options.policy === undefined ? undefined : new Observed(header);
  const windows: ReplayedWindow[] = [];
  const open = (): ReplayWindow => new ReplayWindow(header, placement, options.cluster, options.wireDtype ?? 'fp32');
  let window = open();
  const isPlanDue = (): boolean =>
    rebalanceEveryWindows === Infinity ? windows.length === 0 : (windows.length + 1) % rebalanceEveryWindows === 0;

  for await (const step of trace.steps()) {
    window.add(step);
    observed?.add(step);
    if (window.numTokens < windowTokens) continue;
    const ended = window.end();
    if (options.policy !== undefined && observed !== undefined && isPlanDue()) {
      const planned = planPlacement(options.policy, options.cluster, observed.take(), {
        ...REPLAY_SEARCH,
        ...options.plan,
        previous: placement,
      });
      const { numLoads, numDrops, bytesToMove } = planned.diff;
      placement = planned.placement;
      window = open();
      windows.push({ ...ended, moves: { numLoads, numDrops, bytesToMove } });
      if (rebalanceEveryWindows === Infinity) observed = undefined;
    } else windows.push(ended);
  }
  if (window.numTokens > 0) windows.push(window.end());
  return summary(windows, placement);
}

/** By iterations alone, so that a replay gives the same every time. */
const REPLAY_SEARCH = { maxIterations: 20_000, timeBudgetMs: Infinity };

/** What planning may know: everything since the last plan. */
class Observed {
  readonly #header: TraceHeader;
  readonly #counts: RouteCounts;
  readonly #tally: RouteTally;

  constructor(header: TraceHeader) {
    this.#header = header;
    this.#counts = new RouteCounts(header);
    this.#tally = new RouteTally(header);
  }

  add({ numRows, expertIds }: TraceStep): void {
    const idsPerLayer = numRows * this.#header.topK;
    for (let layer = 0; layer < this.#header.layerIndices.length; layer++)
      this.#tally.add(this.#counts, layer, expertIds.subarray(layer * idsPerLayer, (layer + 1) * idsPerLayer));
    this.#counts.addSteps(1, numRows);
  }

  take(): ExpertLoads {
    const sums = new CountSums(this.#header);
    sums.add(this.#counts, new Map());
    this.#counts.clear();
    return sums.toLoads();
  }
}

const noLoads = ({ layerIndices, numExperts, topK }: TraceHeader): ExpertLoads => ({
  numExperts,
  topK,
  numSteps: 1,
  layers: layerIndices.map((layerIndex) => ({ layerIndex, tokens: new Float64Array(numExperts) })),
});

function checkPlacement(placement: Placement, header: TraceHeader): void {
  if (placement.numExperts === header.numExperts) return;
  throw new ExpertmeshError(
    'invalid_argument',
    `the placement has ${String(placement.numExperts)} experts a layer, ` +
      `the trace ${String(header.numExperts)}: replay it with a placement of its own model`,
  );
}

function summary(windows: readonly ReplayedWindow[], placement: Placement): Replay {
  const total = (of: (window: ReplayedWindow) => number): number =>
    windows.reduce((sum, window) => sum + of(window), 0);
  const numTokens = total((window) => window.numTokens);
  const mean = (of: (window: ReplayedWindow) => number): number =>
    total((window) => of(window) * window.numTokens) / Math.max(1, numTokens);
  return {
    windows,
    numTokens,
    meanBalancedness: mean((window) => window.balancedness.mean),
    worstBalancedness: mean((window) => window.balancedness.worst),
    meanCapacityWeightedBalancedness: mean((window) => window.capacityWeightedBalancedness.mean),
    stepSeconds:
      total((window) => window.stepSeconds * window.numSteps) /
      Math.max(
        1,
        total((w) => w.numSteps),
      ),
    wireBytes: total((window) => window.wireBytes),
    numMoves: total((window) => window.moves?.numLoads ?? 0),
    bytesMoved: total((window) => window.moves?.bytesToMove ?? 0),
    placement,
  };
}
