import { searchRegex, wholeRegex } from './pattern-regex.js';
import type { RegexId, RegexPool } from './regex-pool.js';
import type { StringShape } from './schema-shape.js';
import { formatPattern } from './string-formats.js';
import { anyText, type TextEncoding } from './text-encoding.js';

/** The texts of a shape in an encoding, without quotes. */
export function stringRegex(pool: RegexPool, shape: StringShape, encoding: TextEncoding): RegexId {
  const { minLength, maxLength, patterns, formats } = shape;
  const parts = [
    ...patterns.map(({ source, path }) => searchRegex(pool, source, { encoding, where: `schema at ${path}` })),
    ...formats.map(({ source, path }) => {
      // Formats are of characters that nobody escapes.
      const place = { encoding: encoding === 'json' ? ('json_plain' as const) : encoding, where: `schema at ${path}` };
      return wholeRegex(pool, formatPattern(source) ?? '', place);
    }),
  ];
  if (parts.length === 0 || minLength > 0 || maxLength < Infinity) {
    parts.push(anyText(pool, encoding, minLength, maxLength));
  }
  return pool.both(parts);
}
