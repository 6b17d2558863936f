/** Unicode code points as ranges, both ends included, ascending and apart. */
export type CodePoints = readonly (readonly [first: number, last: number])[];

const LAST = 0x10ffff;
const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;

/** All but surrogates, which UTF-8 does not have. */
export const ALL_CODE_POINTS: CodePoints = [
  [0, FIRST_SURROGATE - 1],
  [LAST_SURROGATE + 1, LAST],
];

export const DIGITS: CodePoints = [[0x30, 0x39]];

export const WORD_CHARACTERS: CodePoints = union(DIGITS, [
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);

/** What `\s` is in ECMAScript: WhiteSpace and LineTerminator. */
export const WHITESPACE: CodePoints = codePointsMatching(/\s/u, 0xffff);

export const LINE_ENDS: CodePoints = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];

export function union(...sets: readonly CodePoints[]): CodePoints {
  const sorted = sets.flat().sort(([a], [b]) => a - b);
  const merged: [number, number][] = [];
  for (const [first, last] of sorted) {
    const previous = merged.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/** Without surrogates. */
export function complement(set: CodePoints): CodePoints {
  const gaps: [number, number][] = [];
  let next = 0;
  for (const [first, last] of union(set, [[FIRST_SURROGATE, LAST_SURROGATE]])) {
    if (first > next) gaps.push([next, first - 1]);
    next = last + 1;
  }
  return next <= LAST ? [...gaps, [next, LAST]] : gaps;
}

export function without(set: CodePoints, other: CodePoints): CodePoints {
  return complement(union(complement(set), other));
}

export function within(set: CodePoints, first: number, last: number): CodePoints {
  return set
    .filter((range) => range[1] >= first && range[0] <= last)
    .map((range) => [Math.max(first, range[0]), Math.min(last, range[1])] as const);
}

const properties = new Map<string, CodePoints>();

/** The code points of `\p{name}`, as this JavaScript knows them; undefined for a property that it does not know. */
export function codePointsOfProperty(name: string): CodePoints | undefined {
  const known = properties.get(name);
  if (known !== undefined) return known;
  if (!/^[A-Za-z_]+(=[A-Za-z_]+)?$/.test(name)) return undefined;
  try {
    const set = codePointsMatching(new RegExp(`\\p{${name}}`, 'u'), LAST);
    properties.set(name, set);
    return set;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function codePointsMatching(pattern: RegExp, last: number): CodePoints {
  const ranges: [number, number][] = [];
  for (let point = 0; point <= last; point++) {
    if (point === FIRST_SURROGATE) point = LAST_SURROGATE + 1;
    if (!pattern.test(String.fromCodePoint(point))) continue;
    const previous = ranges.at(-1);
    if (previous?.[1] === point - 1) previous[1] = point;
    else ranges.push([point, point]);
  }
  return ranges;
}
