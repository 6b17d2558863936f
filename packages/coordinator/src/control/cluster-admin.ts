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
 * something runs on the leader alone, and elsewhere throws `failed_precondition` (the service passes calls on to the leader before that).
 *
 * All methods throw ExpertmeshError that names the value, the limit and the remedy.
 */
export interface ClusterAdmin {
  /** The AdminService of the leader where that is another coordinator; undefined here on the leader, and while nobody leads. */
  leaderAddress(): string | undefined;
  view(): ClusterView;
  cordon(command: WorkerCommand): Promise<CommandOutcome>;
  uncordon(command: WorkerCommand): Promise<CommandOutcome>;
  drain(command: WorkerCommand, signal: AbortSignal): AsyncIterable<ChangeProgress>;
  remove(command: WorkerCommand): Promise<CommandOutcome>;
  placement(request: GetPlacementRequest): Promise<PlacementView>;
  plan(request: PlanRequest): Promise<PlacementPlan>;
  /** Leaving the iteration early does not stop the change. */
  apply(request: ApplyRequest): AsyncIterable<ChangeProgress>;
  history(limit: number): Promise<PlacementHistory>;
  rollback(request: RollbackRequest): AsyncIterable<ChangeProgress>;
  rebalance(request: RebalanceRequest): AsyncIterable<ChangeProgress>;
  audit(limit: number): Promise<AuditLog>;
}
