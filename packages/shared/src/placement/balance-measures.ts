/**
 * How evenly loads are spread. Loads are counts of routed tokens unless said otherwise; no load at all is perfectly
 * even.
 */

/** Balancedness over the layers of a model; layers are positions in the given list. */
export interface LayersBalancedness {
  readonly mean: number;
  readonly worst: number;
  readonly worstLayer: number;
}

/**
 * Balancedness as EPLB, vLLM and SGLang report it: mean load over largest load, 1 is perfect, 1/n is everything on one.
 *
 * @param loads [workers] of one layer
 */
export function balancedness(loads: ArrayLike<number>): number {
  const largest = max(loads);
  return largest > 0 ? sum(loads) / loads.length / largest : 1;
}

/**
 * Balancedness of workers that are not alike: load over capacity instead of load. Perfect is the same time for all,
 * which with equal capacities is the same load for all. A worker without capacity and without load does not count.
 *
 * @param loads [workers] of one layer
 * @param capacities [workers] what each computes per unit of time
 */
export function capacityWeightedBalancedness(loads: ArrayLike<number>, capacities: ArrayLike<number>): number {
  let slowest = 0;
  for (let w = 0; w < loads.length; w++) {
    const load = loads[w] ?? 0;
    if (load > 0) slowest = Math.max(slowest, load / (capacities[w] ?? 0));
  }
  return slowest > 0 ? sum(loads) / sum(capacities) / slowest : 1;
}

/** Mean and worst over layers, each of which has its own busiest worker: never the balancedness of sums over layers. */
export function overLayers(layerBalancedness: readonly number[]): LayersBalancedness {
  let worstLayer = 0;
  for (const [layer, value] of layerBalancedness.entries())
    if (value < (layerBalancedness[worstLayer] ?? 1)) worstLayer = layer;
  const mean = layerBalancedness.length > 0 ? sum(layerBalancedness) / layerBalancedness.length : 1;
  return { mean, worst: layerBalancedness[worstLayer] ?? 1, worstLayer };
}

/** (max - mean) / mean, as TensorRT-LLM reports it: 0 is perfect. */
export function imbalance(loads: ArrayLike<number>): number {
  return 1 / balancedness(loads) - 1;
}

/** Gini coefficient: 0 where all loads are equal, (n - 1) / n where one has everything. */
export function gini(loads: ArrayLike<number>): number {
  const total = sum(loads);
  if (total <= 0) return 0;
  const ascending = Float64Array.from(loads).sort();
  const weighted = ascending.reduce((acc, load, index) => acc + (index + 1) * load, 0);
  const n = ascending.length;
  return (2 * weighted) / (n * total) - (n + 1) / n;
}

/**
 * How far two windows' expert loads are apart: half the sum of differences of their shares. 0 is the same, 1 is
 * disjoint.
 */
export function drift(before: ArrayLike<number>, after: ArrayLike<number>): number {
  const [totalBefore, totalAfter] = [sum(before), sum(after)];
  if (totalBefore <= 0 || totalAfter <= 0) return totalBefore === totalAfter ? 0 : 1;
  let difference = 0;
  for (let e = 0; e < before.length; e++)
    difference += Math.abs((before[e] ?? 0) / totalBefore - (after[e] ?? 0) / totalAfter);
  return difference / 2;
}

/**
 * The load-balancing loss of MoE training (Switch Transformers; over the global batch as in Qwen3): experts x sum over
 * experts of the fraction of routed tokens x mean router probability. 1 for uniform routing; higher means that the
 * router favours what is already loaded.
 *
 * @param tokens [experts] routed token counts
 * @param meanRouterProbabilities [experts] softmax over all experts, averaged over tokens
 */
export function loadBalancingLoss(tokens: ArrayLike<number>, meanRouterProbabilities: ArrayLike<number>): number {
  const total = sum(tokens);
  if (total <= 0) return 1;
  let product = 0;
  for (let e = 0; e < tokens.length; e++) product += ((tokens[e] ?? 0) / total) * (meanRouterProbabilities[e] ?? 0);
  return tokens.length * product;
}

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);

const max = (values: ArrayLike<number>): number => Array.from(values).reduce((most, value) => Math.max(most, value), 0);
