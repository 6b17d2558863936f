import { EMPTY, NOTHING, type RegexId, type RegexPool } from './regex-pool.js';

/** A magnitude in decimal digits; the fraction has no zeros at its end and is '' for integers. */
export interface Decimal {
  readonly integer: bigint;
  readonly fraction: string;
}

export function decimalOf(magnitude: number): Decimal {
  const [mantissa = '', exponent = '0'] = String(magnitude).split('e');
  const [whole = '', part = ''] = mantissa.split('.');
  const shift = Number(exponent);
  const all = `${'0'.repeat(Math.max(0, -shift))}${whole}${part}${'0'.repeat(Math.max(0, shift - part.length))}`;
  const pointAt = Math.max(0, -shift) + whole.length + shift;
  return { integer: BigInt(all.slice(0, pointAt) || '0'), fraction: all.slice(pointAt).replace(/0+$/, '') };
}

/** What may follow the integer digits of a bound ('' or `.` and digits) in a number that is at least the bound. */
export function fractionAtLeast(pool: RegexPool, fraction: string, isExclusive: boolean): RegexId {
  const point = pool.literal('.');
  const zeros = pool.repeat(pool.literal('0'), 0, Infinity);
  const positive = pool.sequence(zeros, digit(pool, 1, 9), anyDigits(pool));
  if (fraction === '') {
    if (isExclusive) return pool.sequence(point, positive);
    return pool.optional(pool.sequence(point, digit(pool, 0, 9), anyDigits(pool)));
  }
  const from = Array.from(fraction).reduceRight<RegexId>(
    (rest, character) => {
      const greater = pool.sequence(digit(pool, Number(character) + 1, 9), anyDigits(pool));
      return pool.either([greater, pool.sequence(pool.literal(character), rest)]);
    },
    isExclusive ? positive : anyDigits(pool),
  );
  return pool.sequence(point, from);
}

/** The same for a number that is at most the bound. */
export function fractionAtMost(pool: RegexPool, fraction: string, isExclusive: boolean): RegexId {
  const point = pool.literal('.');
  const zeros = pool.repeat(pool.literal('0'), 0, Infinity);
  if (fraction === '') {
    return isExclusive ? NOTHING : pool.optional(pool.sequence(point, pool.repeat(pool.literal('0'), 1, Infinity)));
  }
  // Past the first digit the number may end: it is smaller, as digits that are not zero are left of the bound.
  const upTo = Array.from(fraction).reduceRight<RegexId>(
    (rest, character, index) => {
      const smaller = pool.sequence(digit(pool, 0, Number(character) - 1), anyDigits(pool));
      const options = [smaller, pool.sequence(pool.literal(character), rest)];
      return pool.either(index === 0 ? options : [...options, EMPTY]);
    },
    isExclusive ? NOTHING : zeros,
  );
  return pool.optional(pool.sequence(point, upTo));
}

function digit(pool: RegexPool, from: number, to: number): RegexId {
  return from > to ? NOTHING : pool.range(0x30 + from, 0x30 + to);
}

function anyDigits(pool: RegexPool): RegexId {
  return pool.repeat(digit(pool, 0, 9), 0, Infinity);
}
