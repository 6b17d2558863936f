import { describe, expect, it } from 'vitest';
import { jsonMember } from './json-member.js';

describe('jsonMember', () => {
  it.each([
    ['{"a": {"b": [1, {"a": 2}]}, "c": 3}', '{"b": [1, {"a": 2}]}'],
    ['{"c":"a","a":1.0}', '1.0'],
    ['{ "a" : "x, } \\" y" }', '"x, } \\" y"'],
    ['{"\\u0061": [ ]}', '[ ]'],
    ['{"a": 1, "a": 2}', '2'],
    ['{"b": {"a": 1}}', undefined],
    ['{}', undefined],
  ])('takes the source text of member "a" out of %s', (json, expected) => {
    expect(jsonMember(json, 'a')).toBe(expected);
  });
});
