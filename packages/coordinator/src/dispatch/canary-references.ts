/** What a row is reduced to, so that one for every expert of a large model fits: 0.2 MB for 94 layers of 128. */
const NUM_PROJECTIONS = 8;
/** Providers and instruction sets differ by less than 1 %; another expert's answer is nothing like it. */
const TOLERANCE = 0.05;

/**
 * What an expert makes of the canary row by the coordinator's own store: fp32 [hidden]. Rejects where the store cannot
 * say.
 */
export type StoredReference = (layerIndex: number, expertId: number) => Promise<Float32Array>;

/** A worker whose answer is not the expert's, or cannot be told from one that is not. */
export interface DriftedAnswer {
  readonly workerId: string;
  readonly what: string;
}

interface KnownExpert {
  /** What two workers have answered alike, or what the store says. */
  proven: Float64Array | undefined;
  /** The last answer of each worker, while nothing is proven. */
  readonly answers: Map<string, Float64Array>;
}

/**
 * What every expert answers to the canary row. No answer is taken for the truth because it came first: two workers that
 * agree prove it, and where one answer stands against another, the coordinator's own store decides. Rows are kept as
 * sums with pseudo-random signs, whose distances are those of the rows, about (Johnson and Lindenstrauss).
 */
export class CanaryReferences {
  readonly #experts = new Map<string, KnownExpert>();
  readonly #stored: StoredReference | undefined;

  /** @param stored where it is absent or rejects, all workers that contradict each other are doubted */
  constructor(stored: StoredReference | undefined) {
    this.#stored = stored;
  }

  /**
   * Never rejects.
   *
   * @param row fp32 [hidden]
   * @returns who drifts, by what is known with this answer: perhaps another worker than the one that gave it.
   */
  async judge(workerId: string, layerIndex: number, expertId: number, row: Float32Array): Promise<DriftedAnswer[]> {
    const expert = this.#expert(`${String(layerIndex)}/${String(expertId)}`);
    const name = `expert ${String(expertId)} of layer ${String(layerIndex)}`;
    const answer = projected(row);
    const before = [...expert.answers];
    expert.answers.set(workerId, answer);
    if (before.some(([other, answered]) => other !== workerId && areSame(answered, answer))) expert.proven ??= answer;
    if (expert.proven === undefined && before.some(([, answered]) => !areSame(answered, answer)))
      try {
        expert.proven = await this.#fromStore(layerIndex, expertId);
      } catch (thrown) {
        return doubted(expert, name, thrown instanceof Error ? thrown.message : String(thrown));
      }
    if (expert.proven === undefined) return [];
    const drifted = driftedFrom(expert.proven, expert, name);
    expert.answers.clear();
    return drifted;
  }

  /** Another process answers for it from now on. */
  forget(workerId: string): void {
    for (const { answers } of this.#experts.values()) answers.delete(workerId);
  }

  #expert(key: string): KnownExpert {
    const known = this.#experts.get(key) ?? { proven: undefined, answers: new Map<string, Float64Array>() };
    this.#experts.set(key, known);
    return known;
  }

  async #fromStore(layerIndex: number, expertId: number): Promise<Float64Array> {
    if (this.#stored === undefined) throw new Error('there is no store to compare with');
    return projected(await this.#stored(layerIndex, expertId));
  }
}

function driftedFrom(proven: Float64Array, { answers }: KnownExpert, name: string): DriftedAnswer[] {
  return [...answers].flatMap(([workerId, answer]) => {
    const relative = distanceFrom(proven, answer);
    if (relative <= TOLERANCE) return [];
    return [{ workerId, what: `${name} answers the canary row ${(relative * 100).toFixed(1)} % off what is right` }];
  });
}

function doubted({ answers }: KnownExpert, name: string, why: string): DriftedAnswer[] {
  const what =
    `${name} answers the canary row otherwise than before, or than another worker's, and which is right is not ` +
    `known: ${why}`;
  return [...answers.keys()].map((workerId) => ({ workerId, what }));
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

const areSame = (a: Float64Array, b: Float64Array): boolean => distanceFrom(a, b) <= TOLERANCE;

/** As a part of the reference's length. */
const distanceFrom = (reference: Float64Array, other: Float64Array): number =>
  Math.hypot(...reference.map((value, index) => value - (other[index] ?? 0))) / (Math.hypot(...reference) || 1);
