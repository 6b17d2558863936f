/** Bins with fewer expected draws are counted as one. */
const MIN_EXPECTED = 5;

/**
 * How probable draws that differ so much from a distribution are, if they come from it: Pearson's chi-square test, by
 * the approximation of Wilson and Hilferty (1931).
 *
 * @param drawn How often each outcome was drawn.
 * @param probabilities Of all outcomes that may be drawn; an outcome that is not among them makes the result 0.
 */
export function chiSquareProbability(
  drawn: ReadonlyMap<number, number>,
  probabilities: ReadonlyMap<number, number>,
): number {
  for (const outcome of drawn.keys()) if (!probabilities.has(outcome)) return 0;
  const numDraws = [...drawn.values()].reduce((sum, count) => sum + count, 0);
  const rare = { expected: 0, observed: 0 };
  const bins = [rare];
  for (const [outcome, probability] of probabilities) {
    const bin = { expected: numDraws * probability, observed: drawn.get(outcome) ?? 0 };
    if (bin.expected >= MIN_EXPECTED) bins.push(bin);
    else {
      rare.expected += bin.expected;
      rare.observed += bin.observed;
    }
  }
  const filled = bins.filter(({ expected }) => expected > 0);
  const statistic = filled.reduce((sum, bin) => sum + (bin.observed - bin.expected) ** 2 / bin.expected, 0);
  return upperTail(statistic, filled.length - 1);
}

function upperTail(statistic: number, degreesOfFreedom: number): number {
  const spread = 2 / (9 * degreesOfFreedom);
  return 1 - normalCdf(((statistic / degreesOfFreedom) ** (1 / 3) - (1 - spread)) / Math.sqrt(spread));
}

// Abramowitz and Stegun 26.2.17, exact to 7.5e-8.
function normalCdf(z: number): number {
  if (z < 0) return 1 - normalCdf(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const polynomial = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}
