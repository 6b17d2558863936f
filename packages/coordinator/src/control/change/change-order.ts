import { type PlacementDocument, type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress, ChangeProgress_State } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { diffPlacements } from '@expertmesh/shared/placement/placement-diff';
import { type MadePlan } from '../planning/planner.js';
import { layerSwitches } from './layer-switch.js';

/** A placement that somebody wants in force. */
export interface ChangeOrder extends Pick<
  PlacementDocument,
  'policy' | 'actor' | 'reason' | 'redundantExperts' | 'survive' | 'placement'
> {
  /** The placement in force that it was made from; refused when that is another one by now. */
  readonly expectedVersion: number;
  /** Workers that are given experts although they are not accepting: they will be once they have them. */
  readonly returning?: ReadonlySet<string>;
}

/** Who decides where no operator did: named in history and audit. */
export const LEADER_ACTOR = 'expertmesh';

/** To have a plan in force. */
export function orderOf(
  { plan, baseVersion, redundantExperts, survive }: MadePlan,
  by: Pick<ChangeOrder, 'actor' | 'policy' | 'reason' | 'returning'>,
): ChangeOrder {
  return { ...by, redundantExperts, survive, placement: plan.placement, expectedVersion: baseVersion };
}

/**
 * @throws ExpertmeshError `failed_precondition` for an order of another placement than the one in force, or during
 * another change.
 */
export function requireUnchanged(
  { version, change }: PlacementInForce,
  isChanging: boolean,
  { expectedVersion }: ChangeOrder,
): void {
  if (isChanging || change !== undefined)
    throw refused(`a change to version ${String(change?.toVersion ?? version)} is under way: wait for its end`);
  if (version !== expectedVersion)
    throw refused(
      `the plan was made from version ${String(expectedVersion)}, version ${String(version)} is in force: plan again`,
    );
}

/**
 * @param cannotTake why a worker cannot be given experts; undefined when it can
 * @throws ExpertmeshError `failed_precondition` for an order that gives a worker experts which can take none.
 */
export function requireTakers(
  from: Placement,
  to: Placement,
  cannotTake: (workerId: string) => string | undefined,
): void {
  const takers = new Set(layerSwitches(from, to).flatMap(({ gains }) => [...gains.keys()]));
  for (const workerId of takers) {
    const because = cannotTake(workerId);
    if (because !== undefined)
      throw refused(
        `the placement gives experts to worker ${workerId}, which ${because}: plan again, or see to that worker first`,
      );
  }
}

/** What there is to do, and how much of it is done. */
export function plannedProgress(
  from: Placement,
  to: Placement,
  doneLayers: readonly number[],
  expertBytes: number,
): ChangeProgress {
  return ChangeProgress.create({
    state: ChangeProgress_State.STATE_PLANNED,
    fromVersion: from.version,
    toVersion: to.version,
    layersDone: doneLayers.length,
    layersTotal: layerSwitches(from, to).length,
    bytesTotal: diffPlacements(from, to, expertBytes).bytesToMove,
  });
}

const refused = (message: string): ExpertmeshError => new ExpertmeshError('failed_precondition', message);
