import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { formatBytes } from '../../expert-store/format-bytes.js';
import { type LayerProblem, type PlanningProblem } from './planning-problem.js';

/** The replicas of a layer that cordoned workers do not have already. */
export interface LayerNeed {
  /** So that every expert is in enough failure domains. */
  readonly cover: number;
  /** Beyond those. */
  readonly extra: number;
}

/**
 * How many new replicas, over all layers, each worker takes: in proportion to its weight as far as its memory goes,
 * first so many that every expert can be in enough failure domains, then the others.
 *
 * @param weights [workers]
 * @throws ExpertmeshError as slotQuotas.
 */
export function slotTotals(problem: PlanningProblem, weights: readonly number[]): number[] {
  const { workers, layers, numExperts } = problem;
  const needs = layers.map((layer) => layerNeed(problem, layer));
  const totals = workers.map(() => 0);
  const coverOf = new Array<number>(problem.numDomains).fill(0);
  const coverLimit = coverLimits(problem);
  const hasRoom = (w: number): boolean =>
    (totals[w] ?? 0) < Math.min(workers[w]?.numSlots ?? 0, numExperts * layers.length) &&
    workers[w]?.acceptsReplicas === true;
  const takeSlot = (isPossible: (w: number) => boolean): boolean => {
    let best = -1;
    const cost = (w: number): number => ((totals[w] ?? 0) + 1) / (weights[w] ?? 1);
    for (let w = 0; w < workers.length; w++) if (isPossible(w) && (best < 0 || cost(w) < cost(best))) best = w;
    if (best < 0) return false;
    totals[best] = (totals[best] ?? 0) + 1;
    const domain = workers[best]?.domain ?? 0;
    coverOf[domain] = (coverOf[domain] ?? 0) + 1;
    return true;
  };
  const coverNeed = sum(needs.map(({ cover }) => cover));
  const canCover = (w: number): boolean =>
    hasRoom(w) && (coverOf[workers[w]?.domain ?? 0] ?? 0) < (coverLimit[workers[w]?.domain ?? 0] ?? 0);
  for (let placed = 0; placed < coverNeed; placed++)
    if (!takeSlot(canCover)) throw whyNotCovered(problem, coverNeed - placed);
  const extraNeed = sum(needs.map(({ extra }) => extra));
  for (let placed = 0; placed < extraNeed; placed++)
    if (!takeSlot(hasRoom)) throw whyNoRoom(problem, extraNeed - placed);
  return totals;
}

// [domains] how many experts, over all layers, a domain can yet be the first, second, ... domain of.
function coverLimits(problem: PlanningProblem): number[] {
  const limits = new Array<number>(problem.numDomains).fill(problem.numExperts * problem.layers.length);
  for (const { pinned } of problem.layers)
    for (const holders of pinned)
      for (const domain of domainsOf(problem, holders)) limits[domain] = (limits[domain] ?? 0) - 1;
  return limits;
}

function whyNotCovered(problem: PlanningProblem, numMissing: number): ExpertmeshError {
  const { workers, minDomains, layers } = problem;
  const accepting = workers.filter(({ acceptsReplicas }) => acceptsReplicas);
  const numDomains = new Set(accepting.map(({ domain }) => domain)).size;
  if (numDomains === 0)
    return precondition('no worker accepts replicas and some experts are on none: uncordon a worker, or add one');
  if (numDomains < minDomains)
    return precondition(
      `surviving ${String(minDomains - 1)} failures needs ${String(minDomains)} failure domains, ` +
        `and the workers that accept replicas are in ${String(numDomains)}: ` +
        'label more domains, uncordon workers, or survive less',
    );
  if (minDomains === 1)
    return whyNoRoom(problem, numMissing + sum(layers.map((layer) => layerNeed(problem, layer).extra)));
  return exhausted(
    `no two of an expert's ${String(minDomains)} replicas may be in one failure domain, ` +
      `and for that the domains with room left lack ${missingMemory(problem, numMissing)}: ` +
      'raise memory budgets in the smaller domains, spread workers over more domains, ' +
      'or survive less',
  );
}

function whyNoRoom(problem: PlanningProblem, numMissing: number): ExpertmeshError {
  const { workers, layers, numExperts } = problem;
  const accepting = workers.filter(({ acceptsReplicas }) => acceptsReplicas);
  const moreMemoryHelps = accepting.some(({ numSlots }) => numSlots < numExperts * layers.length);
  if (!moreMemoryHelps)
    return precondition(
      `${String(layers[0]?.numReplicas)} replicas a layer do not fit ${String(accepting.length)} workers that ` +
        `accept any, since none holds an expert twice: ask for ${String(Math.ceil(numMissing / layers.length))} ` +
        'fewer, or add workers',
    );
  return exhausted(
    `memory budgets of the ${String(accepting.length)} workers that accept replicas are short by ` +
      `${missingMemory(problem, numMissing)}: raise budgets, add workers, ` +
      'or ask for fewer replicas',
  );
}

const missingMemory = ({ expertSizeBytes }: PlanningProblem, numMissing: number): string =>
  `${formatBytes(numMissing * expertSizeBytes)} (${String(numMissing)} replicas of ${formatBytes(expertSizeBytes)})`;

const precondition = (message: string): ExpertmeshError => new ExpertmeshError('failed_precondition', message);
const exhausted = (message: string): ExpertmeshError => new ExpertmeshError('resource_exhausted', message);

/** What of a layer's replicas has to be placed anew. */
export function layerNeed(problem: PlanningProblem, { pinned, numReplicas }: LayerProblem): LayerNeed {
  const missing = pinned.map((holders) => Math.max(0, problem.minDomains - domainsOf(problem, holders).size));
  const cover = sum(missing);
  const numPinned = sum(pinned.map(({ length }) => length));
  return { cover, extra: Math.max(0, numReplicas - numPinned - cover) };
}

export function domainsOf(problem: PlanningProblem, holders: readonly number[]): Set<number> {
  return new Set(holders.map((w) => problem.workers[w]?.domain ?? 0));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
