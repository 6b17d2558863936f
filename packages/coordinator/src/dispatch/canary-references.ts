/** What a row is reduced to, so that one for every expert of a large model fits: 0.2 MB for 94 layers of 128. */
const NUM_PROJECTIONS = 8;
/** Providers and instruction sets differ by less than 1 %; another expert's answer is nothing like it. */
const TOLERANCE = 0.05;

interface Reference {
  readonly workerId: string;
  readonly projections: Float64Array;
}

/**
 * What every expert has answered to the canary row, by whom it was first seen: all its replicas answer that, whenever
 * they are asked. Rows are kept as sums with pseudo-random signs, whose distances are those of the rows, about (Johnson
 * and Lindenstrauss).
 */
export class CanaryReferences {
  readonly #references = new Map<string, Reference>();

  /** What is wrong with a row, fp32 [hidden]; undefined where it is as before, or the first. */
  differenceOf(workerId: string, layerIndex: number, expertId: number, row: Float32Array): string | undefined {
    const key = `${String(layerIndex)}/${String(expertId)}`;
    const reference = this.#references.get(key);
    const projections = projected(row);
    if (reference === undefined) {
      this.#references.set(key, { workerId, projections });
      return undefined;
    }
    const relative = distance(projections, reference.projections) / (length(reference.projections) || 1);
    if (relative <= TOLERANCE) return undefined;
    return (
      `expert ${String(expertId)} of layer ${String(layerIndex)} answers the canary row ` +
      `${(relative * 100).toFixed(1)} % off what worker ${reference.workerId} has answered`
    );
  }
}

function projected(row: Float32Array): Float64Array {
  const sums = new Float64Array(NUM_PROJECTIONS);
  for (const [column, value] of row.entries()) {
    // The multiplier is that of Knuth's multiplicative hash; its upper bits are the signs.
    const signs = Math.imul(column + 1, 2_654_435_761) >>> 24;
    for (let index = 0; index < NUM_PROJECTIONS; index++)
      sums[index] = (sums[index] ?? 0) + (((signs >>> index) & 1) === 0 ? value : -value);
  }
  return sums;
}

const length = (vector: Float64Array): number => Math.hypot(...vector);

const distance = (a: Float64Array, b: Float64Array): number => length(a.map((value, index) => value - (b[index] ?? 0)));
