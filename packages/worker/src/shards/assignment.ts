import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { estimateMemoryBytes } from '@expertmesh/shared/memory/memory-estimate';
import { ExpertmeshError, type ErrorCode } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packedBytesOfAll } from '@expertmesh/shared/expert-store/shard-blobs';
import { type AssignRequest, type AssignResponse, type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { isSameShard } from './layer-shard.js';

/** Which experts this worker is to hold; checked by `checkAssignment`. */
export type Assignment = Readonly<AssignRequest>;

export function isSameAssignment(a: Assignment, b: Assignment): boolean {
  return (
    a.placementVersion === b.placementVersion &&
    a.shards.length === b.shards.length &&
    a.shards.every((shard, index) => isSameShard(shard, b.shards[index] ?? { layerIndex: -1, expertIds: [] }))
  );
}

/** Where experts are computed, and how much of that memory they may take. */
export interface ExpertMemory {
  readonly provider: Provider;
  readonly memoryBudgetBytes: number;
}

/**
 * Checks an assignment before anything of it is loaded, and says what it needs. What is `served` now keeps serving
 * until the assigned experts are loaded, so both must fit the budget together. An assignment without shards means to
 * hold nothing.
 *
 * @throws ExpertmeshError `failed_precondition` for another store, `invalid_argument` for layers or experts that the
 * model does not have or that are not in order, `resource_exhausted` over the budget.
 */
export function checkAssignment(
  assignment: Assignment,
  store: ExpertStore,
  served: Assignment | undefined,
  { provider, memoryBudgetBytes }: ExpertMemory,
): AssignResponse {
  requireStore(assignment, store);
  if (assignment.placementVersion < 1) refuse('invalid_argument', 'placement_version is 0: versions start at 1');
  checkShards(assignment.shards, store.spec);
  const estimate = (packed: number): number => estimateMemoryBytes(packed, store.quantisation, provider);
  const packedBytes = packedBytesOfAll(store, assignment.shards);
  const memoryBytes = estimate(packedBytes);
  const leaving = leavingShards(served?.shards ?? [], assignment.shards, provider);
  const leavingBytes = estimate(packedBytesOfAll(store, leaving));
  requireBudget(assignment, memoryBytes, leavingBytes, memoryBudgetBytes);
  return { packedBytes, memoryBytes };
}

/**
 * What lies in memory beside the assigned experts until they are loaded. The native kernels compute on the mapped
 * files, so that two forms of a layer share the experts that both have; a session of ONNX Runtime has weights of its
 * own.
 */
function leavingShards(
  served: readonly LayerShard[],
  assigned: readonly LayerShard[],
  provider: Provider,
): LayerShard[] {
  if (provider !== 'native') return served.filter((old) => !assigned.some((shard) => isSameShard(shard, old)));
  return served.map(({ layerIndex, expertIds }) => {
    const staying = new Set(assigned.find((shard) => shard.layerIndex === layerIndex)?.expertIds);
    return { layerIndex, expertIds: expertIds.filter((expertId) => !staying.has(expertId)) };
  });
}

function requireStore(assignment: Assignment, store: ExpertStore): void {
  if (assignment.storeId === store.storeId) return;
  refuse(
    'failed_precondition',
    `the assignment is for store ${assignment.storeId || '(none)'}, ` +
      `this worker reads store ${store.storeId} in ${store.dir}: ` +
      'start coordinator and workers with the same store',
  );
}

function checkShards(shards: readonly LayerShard[], spec: ModelSpec): void {
  const seen = new Set<number>();
  for (const shard of shards) {
    checkLayer(shard.layerIndex, spec);
    if (seen.has(shard.layerIndex)) refuse('invalid_argument', `layer ${String(shard.layerIndex)} is assigned twice`);
    seen.add(shard.layerIndex);
    checkExperts(shard, spec);
  }
}

function checkLayer(layerIndex: number, spec: ModelSpec): void {
  if (layerIndex >= spec.numLayers)
    refuse(
      'invalid_argument',
      `layer ${String(layerIndex)} does not exist: the model has layers 0 to ${String(spec.numLayers - 1)}`,
    );
  if (spec.layerKinds[layerIndex] !== 'moe')
    refuse('invalid_argument', `layer ${String(layerIndex)} has no experts: leave it out`);
}

function checkExperts({ layerIndex, expertIds }: LayerShard, spec: ModelSpec): void {
  const layer = `layer ${String(layerIndex)}`;
  if (expertIds.length === 0) refuse('invalid_argument', `${layer} is assigned without experts: leave it out`);
  let previous = -1;
  for (const expertId of expertIds) {
    if (expertId >= spec.numExperts)
      refuse(
        'invalid_argument',
        `expert ${String(expertId)} of ${layer} does not exist: ` +
          `a layer has experts 0 to ${String(spec.numExperts - 1)}`,
      );
    if (expertId <= previous)
      refuse(
        'invalid_argument',
        `${layer} lists expert ${String(expertId)} after ${String(previous)}: ` +
          'list experts in ascending order, each once',
      );
    previous = expertId;
  }
}

function requireBudget(assignment: Assignment, memoryBytes: number, leavingBytes: number, budgetBytes: number): void {
  const version = String(assignment.placementVersion);
  const needed = `placement version ${version} needs about ${formatBytes(memoryBytes)} of memory`;
  const raise = 'or raise --memory-budget-bytes (EXPERTMESH_MEMORY_BUDGET_BYTES)';
  if (memoryBytes > budgetBytes)
    refuse(
      'resource_exhausted',
      `${needed}, the budget of this worker is ${formatBytes(budgetBytes)}: ` +
        `assign fewer experts, add workers, ${raise}`,
    );
  if (memoryBytes + leavingBytes > budgetBytes)
    refuse(
      'resource_exhausted',
      `${needed} beside ${formatBytes(leavingBytes)} that must serve until it is loaded, ` +
        'the budget of this worker is ' +
        `${formatBytes(budgetBytes)}: change fewer layers at a time, unload first, ${raise}`,
    );
}

function refuse(code: ErrorCode, message: string): never {
  throw new ExpertmeshError(code, message);
}
