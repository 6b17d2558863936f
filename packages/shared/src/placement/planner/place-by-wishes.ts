import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { buildLayer } from './layer-builder.js';
import { levelTokens } from './level-tokens.js';
import { type LayerReplicas, type PlanningProblem } from './planning-problem.js';
import { type WishPolicy } from './policy-wishes.js';
import { slotQuotas, type SlotQuotas } from './slot-quotas.js';
import { layerNeed } from './slot-totals.js';

/**
 * Places every layer as the policy wishes, as far as constraints allow, with as equal numbers of replicas as memory
 * allows.
 *
 * @throws ExpertmeshError that says why there is no placement.
 */
export function placeByWishes(problem: PlanningProblem, wishes: WishPolicy): readonly LayerReplicas[] {
  const quotas =
    sameInEveryLayer(problem) ??
    slotQuotas(
      problem,
      problem.workers.map(() => 1),
    );
  return buildLayers(problem, quotas, wishes) ?? noCover(problem);
}

/** Undefined where the quotas cannot cover all layers. */
export function buildLayers(
  problem: PlanningProblem,
  quotas: SlotQuotas,
  wishes: WishPolicy,
): readonly LayerReplicas[] | undefined {
  const spare = [...quotas.spare];
  const layers: LayerReplicas[] = [];
  for (const [position, layer] of problem.layers.entries()) {
    const quota = quotas.rows[position] ?? [];
    const wished = wishes(problem, layer, quota);
    const replicas = buildLayer(problem, layer, { quota, spare }, wished);
    if (replicas === undefined) return undefined;
    layers.push(levelTokens(problem, layer, replicas, wished.maxTokens ?? Infinity));
  }
  return layers;
}

/** Only what cordoned workers keep can bring this about. */
export function noCover({ minDomains }: PlanningProblem): never {
  throw new ExpertmeshError(
    'resource_exhausted',
    `beside what cordoned workers keep, some experts find no place in ${String(minDomains)} failure domains: ` +
      'drain them, raise memory budgets, or survive less',
  );
}

// The ranges of contiguousPlacement, which a cluster starts with, so that planning it again moves nothing.
function sameInEveryLayer(problem: PlanningProblem): SlotQuotas | undefined {
  const { workers, layers, numWorkers, minDomains } = problem;
  const [first] = layers;
  if (first === undefined || minDomains > 1 || !workers.every(({ acceptsReplicas }) => acceptsReplicas))
    return undefined;
  const { cover, extra } = layerNeed(problem, first);
  const endOf = (w: number): number => Math.floor(((cover + extra) * (w + 1)) / numWorkers);
  const row = workers.map((_, w) => endOf(w) - endOf(w - 1));
  const spare = workers.map(({ numSlots }, w) => numSlots - (row[w] ?? 0) * layers.length);
  const fits = spare.every((slots) => slots >= 0) && row.every((slots) => slots <= problem.numExperts);
  return fits ? { rows: layers.map(() => row), spare } : undefined;
}
