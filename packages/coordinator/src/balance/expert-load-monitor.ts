import { join } from 'node:path';
import { type CountSums } from '@expertmesh/shared/balance/count-sums';
import {
  hottestExperts,
  layerGinis,
  layerLoadBalancingLosses,
  meanDrift,
  numDeadExperts,
} from '@expertmesh/shared/balance/expert-use';
import {
  afterWindow,
  alarmMessage,
  DEFAULT_ALARM_LIMITS,
  NO_ALARMS,
  type AlarmLimits,
  type AlarmState,
} from '@expertmesh/shared/balance/load-alarms';
import { LoadWindows } from '@expertmesh/shared/balance/load-windows';
import { RouteCounts, type Counts, type WorkerCountsById } from '@expertmesh/shared/balance/route-counts';
import { type RoutingShape } from '@expertmesh/shared/balance/routing-shape';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ExpertStats, type Alarm, type BalanceView, type HotExpert } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type PlanCluster } from '@expertmesh/shared/placement/plan-cluster';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { systemClock, type Clock } from '@expertmesh/shared/rpc/clock';
import { balanceView, layerBalancedness } from './balance-view.js';
import { LoadExchange } from './load-exchange.js';
import { type LoadMonitor, type LoadWindow } from './load-monitor.js';
import { readSnapshot, writeSnapshot, type LoadSnapshot } from './load-snapshot.js';
import { type RouteReport } from './route-counter.js';

export interface ExpertLoadMonitorOptions {
  readonly shape: RoutingShape;
  readonly storeId: string;
  /** Of this process; messages and snapshots tell processes apart by it. */
  readonly bootId: string;
  readonly controlPlane: Pick<ControlPlane, 'state' | 'publish' | 'subscribe'>;
  /** Where counts outlive this process; absent: they do not. */
  readonly stateDir?: string;
  /** Rows of a window. */
  readonly windowTokens: number;
  /** What is in force now. */
  readonly placement: () => Placement | undefined;
  /** The workers and their measured speeds, as far as they are known. */
  readonly cluster?: () => PlanCluster | undefined;
  readonly logger: Logger;
  readonly alarmLimits?: AlarmLimits;
  readonly clock?: Clock;
  /** Wall clock, for operators. */
  readonly wallMs?: () => number;
}

/** How many windows old a count is when it weighs half in `recent`. */
const HALF_LIFE_WINDOWS = 2;
const SNAPSHOT_INTERVAL_MS = 30_000;
const NUM_HOTTEST = 10;

/** How experts are used, over all coordinators; see docs/balancing.md. Lives in the main thread. */
export class ExpertLoadMonitor implements LoadMonitor {
  readonly #options: ExpertLoadMonitorOptions;
  readonly #clock: Clock;
  readonly #windows: LoadWindows;
  readonly #exchange: LoadExchange;
  readonly #listeners = new Set<() => void>();
  /** Pairs sent to each worker by this coordinator since it started. */
  readonly #localTokens = new Map<string, number>();
  readonly #views = new Map<LoadWindow, { readonly key: string; readonly view: BalanceView }>();
  #alarms: readonly AlarmState[] = NO_ALARMS;
  #tokensBefore: Float64Array | undefined;
  #drift = 0;
  #tokensInWindow = 0;
  #cancelTimer: () => void = () => undefined;
  #hasNews = false;
  #writing: Promise<void> = Promise.resolve();
  #refusal = '';

  private constructor(options: ExpertLoadMonitorOptions, snapshot: LoadSnapshot | undefined) {
    const { shape, windowTokens, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#windows = new LoadWindows(shape, {
      windowRows: windowTokens,
      halfLifeRows: HALF_LIFE_WINDOWS * windowTokens,
    });
    if (snapshot !== undefined) {
      this.#windows.recent.add(snapshot.recent, snapshot.recent.workers);
      this.#windows.total.add(snapshot.total, snapshot.total.workers);
    }
    this.#exchange = new LoadExchange({
      ...options,
      clock,
      heard: snapshot?.heard ?? [],
      onCounts: (counts) => {
        this.#count(counts, counts.workers);
      },
      onError: (error) => {
        this.#refused(error);
      },
    });
    this.#scheduleSnapshot();
  }

  /** Goes on from the snapshot of the last process, if there is one. */
  static async open(options: ExpertLoadMonitorOptions): Promise<ExpertLoadMonitor> {
    const file = snapshotFile(options);
    const { storeId, shape, logger } = options;
    const snapshot = file === undefined ? undefined : await readSnapshot(file, storeId, shape, logger);
    return new ExpertLoadMonitor(options, snapshot);
  }

  /** What this coordinator routed. The report's buffer is not kept. */
  add(report: RouteReport): void {
    const counts = new RouteCounts(this.#options.shape, report.counts);
    this.#exchange.add(counts, report.workers);
    for (const [workerId, { tokens }] of report.workers)
      this.#localTokens.set(workerId, (this.#localTokens.get(workerId) ?? 0) + sum(tokens));
    this.#count(counts, report.workers);
  }

  loads(window: LoadWindow): ExpertLoads {
    return this.#sums(window).toLoads();
  }

  stats(window: LoadWindow, withCoactivations: boolean): ExpertStats {
    const sums = this.#sums(window);
    const { layerIndices, numExperts, topK } = sums.shape;
    const balanced = layerBalancedness(sums, this.#options.placement());
    const [ginis, losses] = [layerGinis(sums), layerLoadBalancingLosses(sums)];
    return ExpertStats.create({
      window,
      numTokens: Math.round(sums.numRows),
      numSteps: Math.round(sums.numSteps),
      numExperts,
      topK,
      layers: layerIndices.map((layerIndex, layer) => ({
        layerIndex,
        tokens: [...sums.ofLayer(sums.tokens, layer)],
        activeSteps: [...sums.ofLayer(sums.activeSteps, layer)],
        coactivations: withCoactivations ? [...sums.symmetricCoactivations(layer)] : [],
        balancedness: balanced[layer] ?? 1,
        gini: ginis[layer] ?? 0,
        loadBalancingLoss: losses[layer] ?? 0,
      })),
      balance: this.balance(window),
      hottestExperts: this.#hottest(sums, NUM_HOTTEST),
      numDeadExperts: numDeadExperts(sums),
      drift: this.#drift,
      loadBalancingLoss: sum(losses) / Math.max(1, losses.length),
      alarms: [...this.alarms()],
    });
  }

  balance(window: LoadWindow): BalanceView {
    const [sums, placement, cluster] = [this.#sums(window), this.#options.placement(), this.#options.cluster?.()];
    const key = `${String(this.#windows.total.numRows)} ${String(placement?.version)} ${JSON.stringify(cluster)}`;
    const known = this.#views.get(window);
    if (known?.key === key) return known.view;
    const view = balanceView(sums, placement, cluster);
    this.#views.set(window, { key, view });
    return view;
  }

  workerShares(window: LoadWindow): ReadonlyMap<string, number> {
    const tokens = [...this.#sums(window).workers].map(([workerId, counts]) => [workerId, sum(counts.tokens)] as const);
    const all = Math.max(1e-9, sum(tokens.map(([, count]) => count)));
    return new Map(tokens.map(([workerId, count]) => [workerId, count / all]));
  }

  alarms(): readonly Alarm[] {
    return this.#alarms
      .filter(({ isRaised }) => isRaised)
      .map((alarm) => ({ name: alarm.name, message: alarmMessage(alarm), sinceMs: alarm.sinceMs }));
  }

  hottestExperts(limit: number): readonly HotExpert[] {
    return this.#hottest(this.#windows.window, limit);
  }

  get tokensInWindow(): number {
    return this.#tokensInWindow;
  }

  onWindow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * (token, expert) pairs that this coordinator has sent to each worker since it started; metrics add up over
   * coordinators.
   */
  get localTokens(): ReadonlyMap<string, number> {
    return this.#localTokens;
  }

  /** Publishes and writes what is new, for the last time. */
  async close(): Promise<void> {
    this.#cancelTimer();
    this.#exchange.close();
    this.#writeSnapshot();
    await this.written();
  }

  /** Resolves when no snapshot is being written. */
  written(): Promise<void> {
    return this.#writing;
  }

  #sums(window: LoadWindow): CountSums {
    return this.#windows[window];
  }

  #count(counts: Counts, workers: WorkerCountsById): void {
    this.#hasNews = true;
    if (this.#windows.add(counts, workers)) this.#endWindow(this.#windows.window);
  }

  #endWindow(window: CountSums): void {
    const { placement, alarmLimits = DEFAULT_ALARM_LIMITS, wallMs = Date.now } = this.#options;
    const drift = this.#tokensBefore && meanDrift(this.#tokensBefore, window);
    this.#drift = drift ?? 0;
    this.#tokensBefore = window.tokens.slice();
    this.#tokensInWindow = window.numRows;
    const isPlaced = placement() !== undefined && window.workers.size > 0;
    const measures = {
      worstBalancedness: isPlaced ? this.balance('window').worstBalancedness : undefined,
      deadShare: numDeadExperts(window) / window.tokens.length,
      drift,
      hottestTimesMean: hottestExperts(window, 1)[0]?.timesMean ?? 0,
    };
    this.#alarms = afterWindow(this.#alarms, measures, alarmLimits, wallMs());
    for (const listener of this.#listeners) listener();
  }

  #hottest(sums: CountSums, limit: number): HotExpert[] {
    const placement = this.#options.placement();
    return hottestExperts(sums, limit).map((hot) => ({
      ...hot,
      workerIds: (placement?.replicas.get(hot.layerIndex)?.[hot.expertId] ?? []).flatMap(
        (workerIndex) => placement?.workerIds[workerIndex] ?? [],
      ),
    }));
  }

  // Once for each reason: another coordinator that sends what cannot be read does so every few seconds.
  #refused(error: ExpertmeshError): void {
    if (error.message === this.#refusal) return;
    this.#refusal = error.message;
    this.#options.logger.warn({ reason: error.message }, 'expert loads of another coordinator are not counted');
  }

  #scheduleSnapshot(): void {
    this.#cancelTimer = this.#clock.after(SNAPSHOT_INTERVAL_MS, () => {
      this.#writeSnapshot();
      this.#scheduleSnapshot();
    });
  }

  #writeSnapshot(): void {
    const file = snapshotFile(this.#options);
    if (file === undefined || !this.#hasNews) return;
    this.#hasNews = false;
    const { storeId, logger } = this.#options;
    const { recent, total } = this.#windows;
    // The counts go on while an earlier one is still being written; that one has its own copy.
    this.#writing = this.#writing
      .then(() => writeSnapshot(file, storeId, { recent, total, heard: this.#exchange.heard }))
      .catch((error: unknown) => {
        logger.warn({ file, err: error }, 'expert loads could not be written: they will not outlive this process');
      });
  }
}

const snapshotFile = ({ stateDir }: ExpertLoadMonitorOptions): string | undefined =>
  stateDir === undefined ? undefined : join(stateDir, 'expert-loads.bin');

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);
