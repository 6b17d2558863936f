const MASK_64 = (1n << 64n) - 1n;
const GOLDEN_GAMMA = 0x9e3779b97f4a7c15n;

/**
 * A number in [0, 1) that depends on nothing but the seed and the counter, so that a sequence samples the same tokens
 * whatever runs beside it (SplitMix64; Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
 */
export function uniform(seed: number, counter: number): number {
  let z = (BigInt(seed) + GOLDEN_GAMMA * BigInt(counter + 1)) & MASK_64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK_64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK_64;
  z ^= z >> 31n;
  return Number(z >> 11n) / 2 ** 53;
}
