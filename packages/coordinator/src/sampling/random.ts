const MASK_64 = (1n << 64n) - 1n;
const GOLDEN_GAMMA = 0x9e3779b97f4a7c15n;

/**
 * A number in [0, 1) that depends on nothing but the seed and the counter, so that a sequence samples the same tokens
 * whatever runs beside it (SplitMix64; Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
 *
 * @param seed Any integer; it counts modulo 2^64.
 */
export function uniform(seed: number, counter: number): number {
  return Number(mixed(seed, counter) >> 11n) / 2 ** 53;
}

/**
 * The seed of one of the answers to a prompt. The first has the request's own, so that asking for more answers does not
 * change it; the others' are drawn from it.
 *
 * @param requested -1 means a random one, as in vLLM, and so does undefined.
 * @param random Seed where the request names none.
 */
export function answerSeed(requested: number | undefined, random: number, answerIndex = 0): number {
  const seed = requested === undefined || requested === -1 ? random : requested;
  return answerIndex === 0 ? seed : Number(mixed(seed, -1 - answerIndex) >> 11n);
}

function mixed(seed: number, counter: number): bigint {
  let z = (BigInt(seed) + GOLDEN_GAMMA * BigInt(counter + 1)) & MASK_64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK_64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK_64;
  return z ^ (z >> 31n);
}
