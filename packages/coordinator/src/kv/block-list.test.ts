import { expect, it } from 'vitest';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { BlockList } from './block-list.js';

it('has the order of an array, whatever is pushed and removed', () => {
  const random = seededRandom(1);
  const list = new BlockList(10);
  let expected: number[] = [];
  for (let i = 0; i < 2000; i++) {
    const block = Math.floor(10 * random());
    if (expected.includes(block)) {
      list.remove(block);
      expected = expected.filter((other) => other !== block);
    } else if (random() < 0.5) {
      list.push(block);
      expected.push(block);
    } else {
      list.remove(block);
    }
    expect([...list.backwards()].reverse()).toEqual(expected);
    expect([list.first, list.size]).toEqual([expected[0], expected.length]);
  }
});
