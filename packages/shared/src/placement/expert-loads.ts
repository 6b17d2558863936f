/** How experts were used: counts over a window of steps. Loads never change; another window is another value. */
export interface ExpertLoads {
  readonly numExperts: number;
  /** Experts per token. */
  readonly topK: number;
  /** Steps over which everything was counted; at least 1. */
  readonly numSteps: number;
  readonly layers: readonly LayerLoads[];
}

export interface LayerLoads {
  readonly layerIndex: number;
  /** [numExperts] routed tokens. A layer without any is planned as if its routing were uniform. */
  readonly tokens: ArrayLike<number>;
  /**
   * [numExperts] steps in which the expert had a token. Where it was not counted, tokens are taken to come
   * independently.
   */
  readonly activeSteps?: ArrayLike<number>;
  /**
   * [numExperts * numExperts], symmetric: tokens that were routed to both. Where it was not counted, experts are taken
   * to be independent.
   */
  readonly coactivations?: ArrayLike<number>;
}

/** A layer's loads as rates, which is what costs are computed from. */
export interface LayerDemand {
  readonly rowsPerStep: number;
  /** [numExperts] routed tokens per step. */
  readonly tokensPerStep: Float64Array;
  /** [numExperts] probability that a step has a token for the expert. */
  readonly activeProbability: Float64Array;
  /** [numExperts] probability that a token is routed to the expert; sums to topK. */
  readonly usage: Float64Array;
  /** Probability that a token is routed to both of two experts. */
  readonly pairUsage: (first: number, second: number) => number;
}

export function layerDemand(loads: ExpertLoads, layer: LayerLoads): LayerDemand {
  const { numExperts, topK } = loads;
  const counted = Float64Array.from(layer.tokens);
  const isUsed = counted.some((tokens) => tokens > 0);
  const tokens = isUsed ? counted : counted.fill(topK / numExperts);
  const numSteps = isUsed ? loads.numSteps : 1;

  const numRows = tokens.reduce((total, count) => total + count, 0) / topK;
  const rowsPerStep = numRows / numSteps;
  const usage = tokens.map((count) => count / numRows);
  const { activeSteps, coactivations } = layer;
  const activeProbability =
    isUsed && activeSteps !== undefined
      ? Float64Array.from(activeSteps, (steps) => Math.min(1, steps / numSteps))
      : usage.map((probability) => 1 - (1 - Math.min(1, probability)) ** rowsPerStep);
  const pairUsage =
    isUsed && coactivations !== undefined
      ? (first: number, second: number) => (coactivations[first * numExperts + second] ?? 0) / numRows
      : independentPairs(usage, topK);
  return { rowsPerStep, tokensPerStep: tokens.map((count) => count / numSteps), activeProbability, usage, pairUsage };
}

// A token has topK * (topK - 1) ordered pairs of different experts, shared out by the product of how often each is
// used.
function independentPairs(usage: Float64Array, topK: number): LayerDemand['pairUsage'] {
  const ofAllPairs = topK ** 2 - usage.reduce((total, probability) => total + probability ** 2, 0);
  const scale = ofAllPairs > 0 ? (topK * (topK - 1)) / ofAllPairs : 0;
  return (first, second) => scale * (usage[first] ?? 0) * (usage[second] ?? 0);
}
