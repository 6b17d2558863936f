import { ClusterCore } from '@expertmesh/coordinator/control/cluster-core';
import { FencedBucket } from '@expertmesh/coordinator/control/placement/fenced-bucket';
import { PlacementStore } from '@expertmesh/coordinator/control/placement/placement-store';
import { Planner, type MadePlan } from '@expertmesh/coordinator/control/planning/planner';
import { Hedges } from '@expertmesh/coordinator/dispatch/hedges';
import { FIRST } from '@expertmesh/coordinator/dispatch/attempt';
import { LayerFailover } from '@expertmesh/coordinator/dispatch/layer-failover';
import { ReplicaRouter } from '@expertmesh/coordinator/dispatch/replica-router';
import { CommandEpoch } from '@expertmesh/worker/control/command-epoch';
import { type Fault } from '@expertmesh/test-kit/simulation/fault-plan';

/** A bug that the simulator has to find: a method of the product that does something else. */
export interface PlantedBug {
  readonly name: string;
  /** The rule that it breaks, and a seed that shows it. */
  readonly rule: string;
  readonly seed: number;
  /** What has to go wrong for it to show. */
  readonly faults: readonly Fault[];
  /** Puts the bug in; the returned function takes it out again. */
  readonly plant: () => () => void;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'a worker obeys a leader that has been replaced',
    rule: 'no stale epoch is accepted',
    seed: 91,
    faults: ['network', 'nats', 'operator'],
    plant: () =>
      replaced(
        CommandEpoch.prototype,
        'require',
        (original) =>
          function (this: CommandEpoch, epoch: number) {
            try {
              original.call(this, epoch);
            } catch {
              return;
            }
          },
      ),
  },
  {
    name: 'a call without a replica that lives goes to any worker',
    rule: 'no call goes to a replica that is not placed',
    seed: 1,
    faults: ['crash', 'pause'],
    plant: () =>
      replaced(
        ReplicaRouter.prototype,
        'replicasOf',
        (original) =>
          function (this: ReplicaRouter, layerIndex, expertId, isExcluded) {
            const left = original.call(this, layerIndex, expertId, isExcluded);
            return left.length > 0 ? left : [...this.placement.workerIds.keys()];
          },
      ),
  },
  {
    name: 'what was sent again counts twice',
    rule: 'each pair is counted once',
    seed: 2,
    faults: ['network', 'crash'],
    plant: () =>
      replaced(
        LayerFailover.prototype,
        'compute',
        (original) =>
          async function (this: LayerFailover, part, router, attempt = FIRST) {
            const outcomes = await original.call(this, part, router, attempt);
            return attempt.number === 1 ? outcomes : [...outcomes, ...outcomes];
          },
      ),
  },
  {
    name: 'a late answer counts beside that of the replica that was asked as well',
    rule: 'each pair is counted once',
    seed: 17,
    faults: ['pause'],
    plant: () => {
      const won = new Set<Hedges>();
      const restores = [
        replaced(
          Hedges.prototype,
          'won',
          (original) =>
            function (this: Hedges, workerId) {
              won.add(this);
              original.call(this, workerId);
            },
        ),
        replaced(
          LayerFailover.prototype,
          'compute',
          (original) =>
            async function (this: LayerFailover, ...call) {
              const outcomes = await original.apply(this, call);
              const hasWon = won.size > 0;
              won.clear();
              return hasWon ? [...outcomes, ...outcomes] : outcomes;
            },
        ),
      ];
      return () => {
        for (const restore of restores) restore();
      };
    },
  },
  {
    name: 'replicas are dropped before all coordinators have applied the change',
    rule: 'nothing is dropped before calls follow it no more',
    seed: 823,
    faults: ['pause', 'operator'],
    plant: () => replaced(ClusterCore.prototype, 'isApplied', () => () => true),
  },
  {
    name: 'a leader goes on writing after its lease',
    rule: 'no stale epoch is accepted',
    seed: 25,
    faults: ['pause', 'operator'],
    plant: () => {
      const restores = [
        replaced(FencedBucket.prototype, 'heardEpoch', () => () => undefined),
        replaced(PlacementStore.prototype, 'leaveOffice', () => () => undefined),
      ];
      return () => {
        for (const restore of restores) restore();
      };
    },
  },
  {
    name: 'a repair forgets an expert',
    rule: 'every expert is placed',
    seed: 18,
    faults: ['crash', 'pause'],
    plant: () =>
      replaced(
        Planner.prototype,
        'make',
        (original) =>
          async function (this: Planner, wish, signal) {
            const made = await original.call(this, wish, signal);
            return wish.isUrgent === true ? withoutFirstExpert(made) : made;
          },
      ),
  },
];

function withoutFirstExpert(made: MadePlan): MadePlan {
  const replicas = new Map(
    [...made.plan.placement.replicas].map(([layerIndex, [, ...others]]) => [layerIndex, [[], ...others]]),
  );
  return { ...made, plan: { ...made.plan, placement: { ...made.plan.placement, replicas } } };
}

/** Puts another method in the place of one. @returns how to put the original back */
function replaced<Owner extends object, Name extends keyof Owner>(
  prototype: Owner,
  name: Name,
  make: (original: Owner[Name]) => Owner[Name],
): () => void {
  const original = prototype[name];
  prototype[name] = make(original);
  return () => {
    prototype[name] = original;
  };
}
