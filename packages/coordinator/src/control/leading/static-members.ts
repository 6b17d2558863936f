import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { contiguousPlacement, LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { membersAt } from '../../membership/worker-pool.js';

type StaticConfig = Pick<
  CoordinatorConfig,
  'natsUrl' | 'workers' | 'localExperts' | 'placementPolicy' | 'redundantExperts' | 'survive' | 'minWorkers'
>;

export interface FirstPlacementSource {
  /** Known before any worker has said anything; undefined where it has to be planned. */
  readonly fixed: Placement | undefined;
  /** What the plan starts from: the coordinator's own experts are loaded with the model, and stay where they are. */
  readonly planFrom: Placement | undefined;
  readonly minWorkers: number;
}

/**
 * A static cluster's experts are split evenly over the list of its members, in this order, at once. Where the first
 * placement is to be another, all workers have to be up for it.
 *
 * @throws ExpertmeshError `invalid_argument` for more members than experts.
 */
export function fixedPlacement(
  config: StaticConfig,
  { layerIndices, numExperts }: { readonly layerIndices: readonly number[]; readonly numExperts: number },
  version: number,
): FirstPlacementSource {
  if (config.natsUrl !== undefined) return { fixed: undefined, planFrom: undefined, minWorkers: config.minWorkers };
  const even = contiguousPlacement(version, layerIndices, numExperts, staticMemberIds(config));
  const isEven = config.placementPolicy === 'contiguous' && config.redundantExperts === 0 && config.survive === 0;
  return isEven || config.workers.length === 0
    ? { fixed: even, planFrom: undefined, minWorkers: 0 }
    : { fixed: undefined, planFrom: config.localExperts ? even : undefined, minWorkers: config.workers.length };
}

/**
 * Whether a placement that was remembered may be served: in a static cluster, when it names exactly the members that
 * there are. A list that has changed means that the operator wants the experts split over it.
 */
export function isUsableWith(config: StaticConfig) {
  return ({ workerIds }: Placement): boolean => {
    if (config.natsUrl !== undefined) return !workerIds.includes(LOCAL_MEMBER);
    const members = staticMemberIds(config);
    const named = new Set(workerIds);
    return named.size === members.length && members.every((memberId) => named.has(memberId));
  };
}

const staticMemberIds = ({ workers, localExperts }: StaticConfig): string[] => [
  ...(localExperts ? [LOCAL_MEMBER] : []),
  ...membersAt(workers).map(({ workerId }) => workerId),
];
