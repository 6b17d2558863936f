import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Role } from './mesh-identity.js';

const MESH: readonly Role[] = ['coordinator', 'worker', 'admin', 'client'];
const OPERATORS: readonly Role[] = ['admin', 'coordinator'];
const USERS: readonly Role[] = ['client', 'admin'];

/**
 * Who may call each method of every gRPC port, by the role in the caller's certificate. What is not here may be called
 * by nobody. Coordinators pass operators' calls on to the leader, and a worker that leaves asks for its own drain.
 */
export const METHOD_ROLES: Readonly<Record<string, readonly Role[]>> = {
  '/expertmesh.v1.ExpertService/Dispatch': ['coordinator'],

  '/expertmesh.v1.WorkerService/Assign': ['coordinator'],
  '/expertmesh.v1.WorkerService/Load': ['coordinator'],
  '/expertmesh.v1.WorkerService/Unload': ['coordinator'],
  '/expertmesh.v1.WorkerService/GetStats': OPERATORS,
  '/expertmesh.v1.WorkerService/Drain': OPERATORS,
  '/expertmesh.v1.WorkerService/ResetEpoch': ['admin'],

  '/expertmesh.v1.StoreService/ReadFile': [...OPERATORS, 'worker'],

  '/expertmesh.v1.AdminService/GetCluster': [...OPERATORS, 'worker'],
  '/expertmesh.v1.AdminService/WatchCluster': OPERATORS,
  '/expertmesh.v1.AdminService/CordonWorker': OPERATORS,
  '/expertmesh.v1.AdminService/UncordonWorker': OPERATORS,
  '/expertmesh.v1.AdminService/DrainWorker': [...OPERATORS, 'worker'],
  '/expertmesh.v1.AdminService/RemoveWorker': OPERATORS,
  '/expertmesh.v1.AdminService/GetPlacement': OPERATORS,
  '/expertmesh.v1.AdminService/PlanPlacement': OPERATORS,
  '/expertmesh.v1.AdminService/ApplyPlacement': OPERATORS,
  '/expertmesh.v1.AdminService/ListPlacements': OPERATORS,
  '/expertmesh.v1.AdminService/RollbackPlacement': OPERATORS,
  '/expertmesh.v1.AdminService/Rebalance': OPERATORS,
  '/expertmesh.v1.AdminService/ListAudit': OPERATORS,
  '/expertmesh.v1.AdminService/GetExpertStats': OPERATORS,
  '/expertmesh.v1.AdminService/RecordRoutes': OPERATORS,

  '/expertmesh.v1.InferenceService/Generate': USERS,
  '/expertmesh.v1.InferenceService/Tokenize': USERS,
  '/expertmesh.v1.InferenceService/Detokenize': USERS,

  '/grpc.health.v1.Health/Check': MESH,
  '/grpc.health.v1.Health/Watch': MESH,
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': USERS,
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': USERS,
};

/** @throws ExpertmeshError `permission_denied` that names the role and the method. */
export function requireRole(role: Role, path: string): void {
  const allowed = Object.hasOwn(METHOD_ROLES, path) ? (METHOD_ROLES[path] ?? []) : [];
  if (allowed.includes(role)) return;
  const remedy = allowed.length === 0 ? 'no role may' : `only ${allowed.join(' and ')} may`;
  throw new ExpertmeshError('permission_denied', `role ${role} may not call ${path}: ${remedy}`);
}
