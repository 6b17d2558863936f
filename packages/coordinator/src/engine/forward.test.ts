import { describe, expect, it } from 'vitest';
import { splitEvenly, type Chunk } from './forward.js';

describe('splitEvenly', () => {
  const chunk = (numTokens: number): Chunk => ({
    cache: { length: 0, blockIds: new Int32Array() },
    tokenIds: new Array<number>(numTokens).fill(0),
    numLogits: 0,
  });
  const sizes = (parts: Chunk[][]): number[][] => parts.map((part) => part.map(({ tokenIds }) => tokenIds.length));

  it('gives each part about as many tokens', () => {
    expect(sizes(splitEvenly([1, 1, 1, 1, 1, 1].map(chunk), 2))).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    expect(sizes(splitEvenly([1, 10, 1, 1, 4, 3].map(chunk), 2))).toEqual([[10], [4, 3, 1, 1, 1]]);
  });

  it('makes no part empty and one part when asked for one', () => {
    expect(sizes(splitEvenly([5].map(chunk), 2))).toEqual([[5]]);
    expect(sizes(splitEvenly([1, 2, 3].map(chunk), 1))).toEqual([[3, 2, 1]]);
  });
});
