import { drift, gini, loadBalancingLoss } from '../placement/balance-measures.js';
import { type CountSums } from './count-sums.js';

/** What can be read from how experts were used, whatever the placement. */

export interface ExpertUse {
  readonly layerIndex: number;
  readonly expertId: number;
  /** Of the layer's routed tokens. */
  readonly share: number;
  /** How many times the mean expert's share that is; numExperts / topK is the most that there can be. */
  readonly timesMean: number;
}

/** The experts with the largest shares of their layers' tokens, largest first. */
export function hottestExperts(sums: CountSums, limit: number): ExpertUse[] {
  const { layerIndices, numExperts } = sums.shape;
  const hottest: ExpertUse[] = [];
  for (const [layer, layerIndex] of layerIndices.entries()) {
    const tokens = sums.ofLayer(sums.tokens, layer);
    const total = sum(tokens);
    for (const [expertId, count] of tokens.entries()) {
      const share = count / Math.max(total, Number.MIN_VALUE);
      const isAmong = hottest.length < limit || share > (hottest.at(-1)?.share ?? 0);
      if (count === 0 || !isAmong) continue;
      hottest.push({ layerIndex, expertId, share, timesMean: share * numExperts });
      hottest.sort((a, b) => b.share - a.share);
      hottest.length = Math.min(hottest.length, limit);
    }
  }
  return hottest;
}

/** Experts without any token, in layers that had tokens. */
export function numDeadExperts(sums: CountSums): number {
  const ofLayers = sums.shape.layerIndices.map((_, layer) => {
    const tokens = sums.ofLayer(sums.tokens, layer);
    return tokens.some((count) => count > 0) ? tokens.filter((count) => count === 0).length : 0;
  });
  return sum(ofLayers);
}

/**
 * Total variation between the expert shares of two spans, mean over layers. @param before [layers, numExperts] tokens
 */
export function meanDrift(before: Float64Array, after: CountSums): number {
  return meanOverLayers(after, (layer) => drift(after.ofLayer(before, layer), after.ofLayer(after.tokens, layer)));
}

/** Gini coefficient of each layer's expert loads. */
export function layerGinis(sums: CountSums): number[] {
  return sums.shape.layerIndices.map((_, layer) => gini(sums.ofLayer(sums.tokens, layer)));
}

/**
 * The load-balancing loss of each layer, on the scale of transformers' `load_balancing_loss_func`, which sums over a
 * token's top-k choices: topK where either the experts' loads or the router's probabilities are even. 0 where no router
 * probabilities are known.
 */
export function layerLoadBalancingLosses(sums: CountSums): number[] {
  return sums.shape.layerIndices.map((_, layer) => {
    const probabilities = sums.ofLayer(sums.probabilitySums, layer);
    // A row's probabilities sum to 1, so this is the number of rows for which they are known.
    const numRows = sum(probabilities);
    if (numRows === 0) return 0;
    const means = probabilities.map((probability) => probability / numRows);
    return sums.shape.topK * loadBalancingLoss(sums.ofLayer(sums.tokens, layer), means);
  });
}

const meanOverLayers = ({ shape }: CountSums, ofLayer: (layer: number) => number): number =>
  sum(shape.layerIndices.map((_, layer) => ofLayer(layer))) / Math.max(1, shape.layerIndices.length);

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);
