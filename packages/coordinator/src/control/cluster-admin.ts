import {
  type AuditLog,
  type ApplyRequest,
  type ChangeProgress,
  type ClusterView,
  type CommandOutcome,
  type GetPlacementRequest,
  type PlacementHistory,
  type PlacementPlan,
  type PlacementView,
  type PlanRequest,
  type RebalanceRequest,
  type RollbackRequest,
  type WorkerCommand,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';

/**
 * What operators see and do, behind the AdminService and its JSON twin. Views answer from any coordinator; what changes
 * something runs on the leader alone, and elsewhere throws `failed_precondition` (the service passes calls on to the
 * leader before that).
 *
 * All methods throw ExpertmeshError that names the value, the limit and the remedy.
 */
export interface ClusterAdmin {
  /**
   * The AdminService of the leader where that is another coordinator; undefined here on the leader, and while nobody
   * leads.
   */
  leaderAddress(): string | undefined;
  view(): ClusterView;
  cordon(command: WorkerCommand): Promise<CommandOutcome>;
  uncordon(command: WorkerCommand): Promise<CommandOutcome>;
  /** Waits for the change under way. Leaving the iteration early does not stop the drain. */
  drain(command: WorkerCommand): AsyncIterable<ChangeProgress>;
  remove(command: WorkerCommand): Promise<CommandOutcome>;
  placement(request: GetPlacementRequest): Promise<PlacementView>;
  /** @param signal of whom the plan is for: planning ends with it */
  plan(request: PlanRequest, signal: AbortSignal): Promise<PlacementPlan>;
  /** Leaving the iteration early does not stop the change. */
  apply(request: ApplyRequest): AsyncIterable<ChangeProgress>;
  history(limit: number): Promise<PlacementHistory>;
  rollback(request: RollbackRequest): AsyncIterable<ChangeProgress>;
  /** @param signal ends planning, and not the change */
  rebalance(request: RebalanceRequest, signal: AbortSignal): AsyncIterable<ChangeProgress>;
  audit(limit: number): Promise<AuditLog>;
}
