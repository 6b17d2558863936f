import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { decimalOf, fractionAtLeast, fractionAtMost } from './fraction-regex.js';
import { EMPTY, NOTHING, type RegexId, type RegexPool } from './regex-pool.js';

export interface Bound {
  readonly value: number;
  readonly isExclusive: boolean;
}

/** Which numbers: bounds as JSON Schema's, undefined where there is none. */
export interface NumberRange {
  readonly isInteger: boolean;
  readonly lower: Bound | undefined;
  readonly upper: Bound | undefined;
  /** Positive integers. */
  readonly divisors: readonly number[];
}

/** Digits of integers without bounds: more than any 64-bit integer has, and an end for runaway digits. */
const MAX_DIGITS = 19;

/** Multiples have to be exact in double precision, in which readers of JSON check them. */
const MAX_MULTIPLE_DIGITS = 15;

/** Of numbers that have no bounds; what doubles need to be told apart is 17. */
const MAX_FRACTION_DIGITS = 20;

/** Exponents keep every number finite in double precision. */
export function numberRegex(pool: RegexPool, range: NumberRange): RegexId {
  if (range.isInteger) return integerRegex(pool, range);
  if (range.lower !== undefined || range.upper !== undefined) return decimalRegex(pool, range.lower, range.upper);
  const exponent = pool.sequence(
    pool.anyOfBytes('eE'),
    pool.optional(pool.anyOfBytes('+-')),
    pool.either([
      digits(pool, 1, 2),
      pool.sequence(pool.literal('1'), digits(pool, 2, 2)),
      pool.sequence(pool.literal('2'), pool.range(0x30, 0x37), digits(pool, 1, 1)),
    ]),
  );
  const fraction = pool.sequence(pool.literal('.'), digits(pool, 1, MAX_FRACTION_DIGITS));
  return pool.sequence(
    pool.optional(pool.literal('-')),
    naturals(pool, 0n, undefined),
    pool.optional(fraction),
    pool.optional(exponent),
  );
}

function integerRegex(pool: RegexPool, { lower, upper, divisors }: NumberRange): RegexId {
  const low = lower === undefined ? undefined : integerAbove(lower);
  const high = upper === undefined ? undefined : -integerAbove({ ...upper, value: -upper.value });
  const all = signed(pool, { low, high }, (from, to) => naturals(pool, from, to));
  if (divisors.length === 0) return all;
  const sign = pool.optional(pool.literal('-'));
  const multiples = divisors.map((divisor) => pool.sequence(sign, pool.multiple(divisor)));
  const exact = pool.sequence(sign, digits(pool, 1, MAX_MULTIPLE_DIGITS));
  return pool.both([all, exact, ...multiples]);
}

/** The smallest integer that a lower bound allows. */
function integerAbove({ value, isExclusive }: Bound): bigint {
  const ceiling = BigInt(Math.ceil(value));
  return isExclusive && Number.isInteger(value) ? ceiling + 1n : ceiling;
}

/** Puts a range of numbers together from ranges of their magnitudes. Zero is written without a sign. */
function signed(
  pool: RegexPool,
  { low, high }: { readonly low: bigint | undefined; readonly high: bigint | undefined },
  magnitudes: (from: bigint, to: bigint | undefined) => RegexId,
): RegexId {
  const options: RegexId[] = [];
  if (high === undefined || high >= 0n) options.push(magnitudes(low === undefined || low < 0n ? 0n : low, high));
  if (low === undefined || low < 0n) {
    const from = high === undefined || high >= 0n ? 1n : -high;
    options.push(pool.sequence(pool.literal('-'), magnitudes(from, low === undefined ? undefined : -low)));
  }
  return pool.either(options);
}

/** Numbers from `from` to `to`, or of up to 19 digits, without leading zeros. */
function naturals(pool: RegexPool, from: bigint, to: bigint | undefined): RegexId {
  if (to !== undefined && to < from) return NOTHING;
  const options: RegexId[] = [];
  if (from === 0n) options.push(pool.literal('0'));
  const first = from === 0n ? 1n : from;
  if (to !== undefined && to < first) return pool.either(options);
  const low = String(first);
  const high = to === undefined ? undefined : String(to);
  if (high?.length === low.length) return pool.either([...options, sameLength(pool, low, high)]);
  options.push(sameLength(pool, low, '9'.repeat(low.length)));
  const longest = high === undefined ? Math.max(MAX_DIGITS, low.length) : high.length - 1;
  const leading = pool.range(0x31, 0x39);
  if (longest > low.length) options.push(pool.sequence(leading, digits(pool, low.length, longest - 1)));
  if (high !== undefined) options.push(sameLength(pool, `1${'0'.repeat(high.length - 1)}`, high));
  return pool.either(options);
}

/** Digit strings between two of the same length. */
function sameLength(pool: RegexPool, low: string, high: string): RegexId {
  if (low === '') return EMPTY;
  const [lowDigit, highDigit] = [Number(low[0]), Number(high[0])];
  const numAfter = low.length - 1;
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (lowDigit === highDigit)
    return pool.sequence(digit(pool, lowDigit, lowDigit), sameLength(pool, lowRest, highRest));
  const isLowWhole = lowRest === '0'.repeat(numAfter);
  const isHighWhole = highRest === '9'.repeat(numAfter);
  const middle = digit(pool, lowDigit + (isLowWhole ? 0 : 1), highDigit - (isHighWhole ? 0 : 1));
  const options = [pool.sequence(middle, digits(pool, numAfter, numAfter))];
  if (!isLowWhole) {
    const rest = sameLength(pool, lowRest, '9'.repeat(numAfter));
    options.push(pool.sequence(digit(pool, lowDigit, lowDigit), rest));
  }
  if (!isHighWhole) {
    const rest = sameLength(pool, '0'.repeat(numAfter), highRest);
    options.push(pool.sequence(digit(pool, highDigit, highDigit), rest));
  }
  return pool.either(options);
}

function digit(pool: RegexPool, from: number, to: number): RegexId {
  return pool.range(0x30 + from, 0x30 + to);
}

function digits(pool: RegexPool, min: number, max: number): RegexId {
  return pool.repeat(digit(pool, 0, 9), min, max);
}

/** Numbers with bounds, written without exponents. */
function decimalRegex(pool: RegexPool, lower: Bound | undefined, upper: Bound | undefined): RegexId {
  const options: RegexId[] = [];
  if (upper === undefined || upper.value > 0 || (upper.value === 0 && !upper.isExclusive)) {
    options.push(magnitudes(pool, lower !== undefined && lower.value >= 0 ? lower : undefined, upper));
  }
  if (lower === undefined || lower.value < 0) {
    const least = upper !== undefined && upper.value <= 0 ? negated(upper) : { value: 0, isExclusive: true };
    const most = lower === undefined ? undefined : negated(lower);
    options.push(pool.sequence(pool.literal('-'), magnitudes(pool, least, most)));
  }
  return pool.either(options);
}

function negated({ value, isExclusive }: Bound): Bound {
  return { value: Math.abs(value), isExclusive };
}

function magnitudes(pool: RegexPool, least: Bound | undefined, most: Bound | undefined): RegexId {
  const maxFraction = fractionDigits([least, most]);
  const anyFraction = pool.optional(pool.sequence(pool.literal('.'), digits(pool, 1, maxFraction)));
  const parts = [pool.sequence(naturals(pool, 0n, undefined), anyFraction)];
  if (least !== undefined) {
    const { integer, fraction } = decimalOf(least.value);
    const above = pool.sequence(naturals(pool, integer + 1n, undefined), anyFraction);
    const within = fractionAtLeast(pool, fraction, least.isExclusive);
    parts.push(pool.either([above, pool.sequence(naturals(pool, integer, integer), within)]));
  }
  if (most !== undefined) {
    const { integer, fraction } = decimalOf(most.value);
    const below = integer === 0n ? NOTHING : pool.sequence(naturals(pool, 0n, integer - 1n), anyFraction);
    const within = fractionAtMost(pool, fraction, most.isExclusive);
    parts.push(pool.either([below, pool.sequence(naturals(pool, integer, integer), within)]));
  }
  return pool.both(parts);
}

/** So few that what is not equal to a bound in decimals is not equal to it in double precision either. */
function fractionDigits(bounds: readonly (Bound | undefined)[]): number {
  const decimals = bounds.flatMap((bound) => (bound === undefined ? [] : [decimalOf(bound.value)]));
  const longestInteger = Math.max(1, ...decimals.map(({ integer }) => String(integer).length));
  if (longestInteger > MAX_MULTIPLE_DIGITS) {
    throw new ExpertmeshError(
      'invalid_argument',
      `bounds of numbers that are no integers are supported up to ${String(MAX_MULTIPLE_DIGITS)} digits`,
    );
  }
  return Math.max(1, MAX_MULTIPLE_DIGITS - longestInteger, ...decimals.map(({ fraction }) => fraction.length));
}
