import { expect, it } from 'vitest';
import { jsonShape, MAX_DEPTH } from './json-shape.js';

it.each([
  ['{}', 1, 1],
  ['[[], {"a": [1, 2]}]', 3, 6],
  ['"[[,,\\"[,"', 0, 0],
  ['{"a": "]", "b": 1}', 1, 2],
  ['"unfinished [', 0, 0],
])('%s', (text, depth, numElements) => {
  expect(jsonShape(text, 100)).toEqual({ depth, numElements });
});

it('stops where it has seen too much', () => {
  expect(jsonShape('['.repeat(10_000_000), 1e9).depth).toBe(MAX_DEPTH + 1);
  expect(jsonShape('[],'.repeat(10_000_000), 1000).numElements).toBe(1001);
});
