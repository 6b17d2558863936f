import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type PlanCluster } from '@expertmesh/shared/placement/plan-cluster';
import { type ClusterCore } from '../cluster-core.js';
import { type FirstPlacementSource } from '../leading/static-members.js';
import { type WorkerAdmission } from '../leading/worker-admission.js';
import { withoutIdle } from '../placement/routing.js';
import { shardsOf, type Shards } from '../placement/shards.js';
import { planCluster, type ClusterFacts, type ExpertSize } from './plan-inputs.js';

export interface KnownClusterOptions {
  readonly core: Pick<ClusterCore, 'store' | 'membership' | 'routing'>;
  readonly admission: Pick<WorkerAdmission, 'of'>;
  readonly first: FirstPlacementSource;
  readonly expertSize: ExpertSize;
  /** Layers with experts. */
  readonly numLayers: number;
}

/** What is known of the cluster at the moment, as plans and predictions take it. */
export class KnownCluster {
  readonly #options: KnownClusterOptions;

  constructor(options: KnownClusterOptions) {
    this.#options = options;
  }

  facts(): Omit<ClusterFacts, 'withRoomToMove' | 'dead'> {
    const { core, first, expertSize, numLayers } = this.#options;
    const { store, membership, routing } = core;
    return {
      workers: membership.known.list(),
      admissions: store.admissions.workers,
      previous: store.placement(store.inForce?.version ?? 0) ?? first.planFrom,
      expertSize,
      secondsPerRow: routing.engine?.secondsPerRow() ?? 0,
      numLayers,
    };
  }

  /** The workers with their speeds, for predictions. */
  planCluster(): PlanCluster {
    return planCluster({ ...this.facts(), withRoomToMove: false });
  }

  /** What is in force, with the workers that share the load or could: those that were drained do not count. */
  loadedPlacement(): Placement | undefined {
    const { admission } = this.#options;
    const { routing } = this.#options.core.store;
    return routing && withoutIdle(routing, (workerId) => admission.of(workerId) === 'accepting');
  }

  /** What the coordinator computes itself, for as long as it runs. */
  localShards(): Shards {
    const { core, first } = this.#options;
    const placement = core.store.routing ?? first.fixed ?? first.planFrom;
    return placement === undefined ? [] : shardsOf(placement, LOCAL_MEMBER);
  }
}
