import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  type ApplyRequest,
  type AuditLog,
  type ChangeProgress,
  type ClusterView,
  type CommandOutcome,
  type ExpertStats,
  type GetExpertStatsRequest,
  type GetPlacementRequest,
  type PlacementHistory,
  type PlacementPlan,
  type PlacementView,
  type PlanRequest,
  type RebalanceRequest,
  type RecordRoutesRequest,
  type RollbackRequest,
  type TraceChunk,
  type WorkerCommand,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Clock, systemClock } from '@expertmesh/shared/rpc/clock';
import { type OpenClient } from '@expertmesh/shared/rpc/openers';
import { type ServerStreamMethod, type UnaryMethod } from '@expertmesh/shared/rpc/service-definition';
import { adminService } from '@expertmesh/shared/rpc/services';
import { type LoadMonitor, type LoadWindow } from '../../balance/load-monitor.js';
import { type ClusterAdmin } from '../cluster-admin.js';
import { invalid, requireShortReason, requireTimeBudget, requireWorkerId, withActor } from './admin-request.js';
import { LeaderLink, PASSED_ON_HEADER } from './leader-link.js';
import { LeaderWatch } from './leader-watch.js';
import { OpenStreams } from './open-streams.js';
import { repeatProgress } from './repeat-progress.js';

export interface AdminApiOptions {
  readonly admin: ClusterAdmin;
  readonly monitor: Pick<LoadMonitor, 'stats'>;
  /**
   * Gives the routes of what is computed from now on as a trace, until `signal` aborts or `maxTokens` (0: no limit)
   * were recorded.
   */
  readonly recordRoutes: (request: RecordRoutesRequest, signal: AbortSignal) => AsyncIterable<TraceChunk>;
  readonly clock?: Clock;
  /** What the leader asks for. */
  readonly adminKey?: string | undefined;
  /** How the leader is reached. */
  readonly openClient: OpenClient;
}

/** Who calls, as the transport knows it. */
export interface AdminCaller {
  /** Stands in the audit where the request names no actor. */
  readonly actor: string;
  /** The id of the coordinator that passed the call on, where one did. */
  readonly passedOnBy?: string | undefined;
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal;
}

const WATCH_DEFAULT_MS = 1_000;
const WATCH_MIN_MS = 100;
const WATCH_MAX_MS = 60_000;
/** Callers that may watch or record at a time; the next is refused. */
const MAX_OPEN_STREAMS = 64;
const HISTORY_DEFAULT = 20;
const AUDIT_DEFAULT = 50;
/** For an answer of the leader, beyond the time that a plan may take. */
const LEADER_DEADLINE_MS = 30_000;
/** A change that has nothing new to tell says the last again after this; well within the deadline for a message. */
const REPEAT_PROGRESS_MS = 5_000;
const LOAD_WINDOWS: readonly LoadWindow[] = ['recent', 'window', 'total'];

/**
 * What AdminService and its JSON twin do, whatever the transport: answers what any coordinator knows, and passes on to
 * the leader what only it may do. A call that was passed on is not passed on again: where leaders change, it is refused
 * with `unavailable`.
 */
export class AdminApi {
  readonly #admin: ClusterAdmin;
  readonly #options: AdminApiOptions;
  readonly #clock: Clock;
  readonly #leader: LeaderLink;
  readonly #streams = new OpenStreams(MAX_OPEN_STREAMS);

  constructor(options: AdminApiOptions) {
    this.#admin = options.admin;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#leader = new LeaderLink(options.adminKey, options.openClient);
  }

  cluster(): ClusterView {
    return this.#admin.view();
  }

  /** The view again and again, until the caller is gone. */
  async *watch(intervalMs: number, caller: AdminCaller): AsyncGenerator<ClusterView, void, undefined> {
    const everyMs = intervalMs === 0 ? WATCH_DEFAULT_MS : intervalMs;
    if (everyMs < WATCH_MIN_MS || everyMs > WATCH_MAX_MS)
      throw invalid(
        `interval_ms is ${String(everyMs)}: it must be ${String(WATCH_MIN_MS)} to ${String(WATCH_MAX_MS)}, ` +
          `or 0 for ${String(WATCH_DEFAULT_MS)}`,
      );
    const stream = this.#streams.open(caller.signal);
    try {
      while (!stream.signal.aborted) {
        yield this.#admin.view();
        await this.#pause(everyMs, stream.signal);
      }
    } finally {
      stream.end();
    }
  }

  cordon(command: WorkerCommand, caller: AdminCaller): Promise<CommandOutcome> {
    return this.#command(adminService.cordonWorker, command, caller, (named) => this.#admin.cordon(named));
  }

  uncordon(command: WorkerCommand, caller: AdminCaller): Promise<CommandOutcome> {
    return this.#command(adminService.uncordonWorker, command, caller, (named) => this.#admin.uncordon(named));
  }

  remove(command: WorkerCommand, caller: AdminCaller): Promise<CommandOutcome> {
    return this.#command(adminService.removeWorker, command, caller, (named) => this.#admin.remove(named));
  }

  drain(command: WorkerCommand, caller: AdminCaller): AsyncIterable<ChangeProgress> {
    requireWorkerId(command);
    return this.#change(adminService.drainWorker, withActor(command, caller), caller, (named) =>
      this.#admin.drain(named),
    );
  }

  placement(request: GetPlacementRequest): Promise<PlacementView> {
    return this.#admin.placement(request);
  }

  async plan(request: PlanRequest, caller: AdminCaller): Promise<PlacementPlan> {
    requireTimeBudget(request);
    return this.#onLeader(
      adminService.planPlacement,
      request,
      caller,
      () => this.#admin.plan(request, caller.signal),
      request,
    );
  }

  apply(request: ApplyRequest, caller: AdminCaller): AsyncIterable<ChangeProgress> {
    if (request.plan?.placement === undefined)
      throw invalid('the request has no plan: send what PlanPlacement answered, as it is');
    requireShortReason(request.plan.placement);
    return this.#change(adminService.applyPlacement, withActor(request, caller), caller, (named) =>
      this.#admin.apply(named),
    );
  }

  history(limit: number): Promise<PlacementHistory> {
    return this.#admin.history(limit === 0 ? HISTORY_DEFAULT : limit);
  }

  rollback(request: RollbackRequest, caller: AdminCaller): AsyncIterable<ChangeProgress> {
    return this.#change(adminService.rollbackPlacement, withActor(request, caller), caller, (named) =>
      this.#admin.rollback(named),
    );
  }

  rebalance(request: RebalanceRequest, caller: AdminCaller): AsyncIterable<ChangeProgress> {
    if (request.plan !== undefined) requireTimeBudget(request.plan);
    return this.#change(
      adminService.rebalance,
      withActor(request, caller),
      caller,
      (named) => this.#admin.rebalance(named, caller.signal),
      request.plan,
    );
  }

  audit(limit: number): Promise<AuditLog> {
    return this.#admin.audit(limit === 0 ? AUDIT_DEFAULT : limit);
  }

  expertStats({ window, withCoactivations }: GetExpertStatsRequest): ExpertStats {
    const known = LOAD_WINDOWS.find((name) => name === (window === '' ? 'recent' : window));
    if (known === undefined) throw invalid(`window is '${window}': it must be one of ${LOAD_WINDOWS.join(', ')}`);
    return this.#options.monitor.stats(known, withCoactivations);
  }

  async *recordRoutes(request: RecordRoutesRequest, caller: AdminCaller): AsyncGenerator<TraceChunk, void, undefined> {
    const stream = this.#streams.open(caller.signal);
    try {
      yield* this.#options.recordRoutes(request, stream.signal);
    } finally {
      stream.end();
    }
  }

  /** Ends the streams of those who watch and record, so that the server can close. Changes go on. */
  close(): void {
    this.#streams.close();
    this.#leader.close();
  }

  async #command(
    method: UnaryMethod<WorkerCommand, CommandOutcome>,
    command: WorkerCommand,
    caller: AdminCaller,
    here: (command: WorkerCommand) => Promise<CommandOutcome>,
  ): Promise<CommandOutcome> {
    requireWorkerId(command);
    const named = withActor(command, caller);
    return this.#onLeader(method, named, caller, () => here(named));
  }

  async #onLeader<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    caller: AdminCaller,
    here: () => Promise<Response>,
    plan?: PlanRequest,
  ): Promise<Response> {
    const address = this.#leaderElsewhere(caller);
    if (address === undefined) return here();
    const watch = this.#watchLeader(address, caller);
    try {
      return await this.#leader.to(address).unary(method, request, this.#callOptions(watch, plan));
    } catch (thrown) {
      throw this.#leader.failed(watch.translate(thrown));
    } finally {
      watch.close();
    }
  }

  async *#change<Request>(
    method: ServerStreamMethod<Request, ChangeProgress>,
    request: Request,
    caller: AdminCaller,
    here: (request: Request) => AsyncIterable<ChangeProgress>,
    plan?: PlanRequest,
  ): AsyncGenerator<ChangeProgress, void, undefined> {
    const address = this.#leaderElsewhere(caller);
    if (address === undefined) {
      yield* repeatProgress(here(request), REPEAT_PROGRESS_MS, this.#clock);
      return;
    }
    const watch = this.#watchLeader(address, caller);
    try {
      const options = { ...this.#callOptions(watch, plan), isPerMessage: true };
      yield* this.#leader.to(address).serverStream(method, request, options);
    } catch (thrown) {
      throw this.#leader.failed(watch.translate(thrown));
    } finally {
      watch.close();
    }
  }

  #leaderElsewhere({ passedOnBy }: AdminCaller): string | undefined {
    const address = this.#admin.leaderAddress();
    if (address !== undefined && passedOnBy !== undefined)
      throw new ExpertmeshError(
        'unavailable',
        `${passedOnBy} took this coordinator for the leader, which is at ${address} by now: try again in a second`,
      );
    return address;
  }

  #watchLeader(address: string, { signal }: AdminCaller): LeaderWatch {
    const leaderAddress = (): string | undefined => this.#admin.leaderAddress();
    return new LeaderWatch({ address, leaderAddress, callerGone: signal, clock: this.#clock });
  }

  #callOptions({ signal }: LeaderWatch, plan: PlanRequest | undefined) {
    return {
      deadlineMs: LEADER_DEADLINE_MS + 1000 * (plan?.timeBudgetSeconds ?? 0),
      signal,
      metadata: { [PASSED_ON_HEADER]: this.#admin.view().coordinatorId },
    };
  }

  async #pause(durationMs: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#clock.after(durationMs, end);
      signal.addEventListener('abort', end, { once: true });
    });
  }
}
