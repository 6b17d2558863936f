import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/**
 * Index of the largest logit, the first of equals.
 *
 * @throws ExpertmeshError `data_loss` when a logit is not a number.
 */
export function argmax(logits: Float32Array): number {
  let best = 0;
  let bestLogit = -Infinity;
  for (let tokenId = 0; tokenId < logits.length; tokenId++) {
    const logit = logits[tokenId] ?? NaN;
    if (logit <= bestLogit) continue;
    if (Number.isNaN(logit)) refuseNaN(tokenId);
    best = tokenId;
    bestLogit = logit;
  }
  return best;
}

function refuseNaN(tokenId: number): never {
  throw new ExpertmeshError('data_loss', `the model computed a logit that is not a number (token ${String(tokenId)})`);
}

/** Indices of the k largest values, largest first, equals by index. */
export function largest(values: Float32Array, k: number): Int32Array {
  if (k >= values.length) return Int32Array.from(values.keys()).sort(byValue(values));
  return k * 16 >= values.length ? largestBySorting(values, k) : largestByKeeping(values, k);
}

// Typed arrays sort their values natively, many times as fast as indices by a comparison.
function largestBySorting(values: Float32Array, k: number): Int32Array {
  const floor = values.slice().sort()[values.length - k] ?? -Infinity;
  const kept: number[] = [];
  for (let index = 0; index < values.length; index++) if ((values[index] ?? 0) >= floor) kept.push(index);
  return Int32Array.from(kept).sort(byValue(values)).subarray(0, k);
}

function largestByKeeping(values: Float32Array, k: number): Int32Array {
  let kept: number[] = [];
  let floor = -Infinity;
  for (let index = 0; index < values.length; index++) {
    if ((values[index] ?? 0) <= floor) continue;
    kept.push(index);
    if (kept.length < 2 * k) continue;
    kept = kept.sort(byValue(values)).slice(0, k);
    floor = values[kept[k - 1] ?? 0] ?? 0;
  }
  return Int32Array.from(kept.sort(byValue(values)).slice(0, k));
}

const byValue =
  (values: Float32Array) =>
  (a: number, b: number): number =>
    (values[b] ?? 0) - (values[a] ?? 0) || a - b;
