import { describe, expect, it } from 'vitest';
import { BlockPool, type DroppedBlock } from './block-pool.js';

const allocated = (pool: BlockPool, count: number): number[] =>
  Array.from({ length: count }, () => pool.allocate() ?? NaN);

describe('BlockPool', () => {
  it('gives every block once, and no more than there are', () => {
    const pool = new BlockPool(4);
    expect(new Set(allocated(pool, 4)).size).toBe(4);
    expect(pool.allocate()).toBeUndefined();
    expect(pool).toMatchObject({ numAvailable: 0, numReferenced: 4, numCached: 0 });
  });

  it('frees a block with its last reference', () => {
    const pool = new BlockPool(1);
    const [block = NaN] = allocated(pool, 1);
    pool.retain(block);
    pool.release(block);
    expect(pool.numAvailable).toBe(0);
    pool.release(block);
    expect(pool.numAvailable).toBe(1);
    expect(() => {
      pool.release(block);
    }).toThrow('released twice');
  });

  it('keeps known content until its place is needed, and drops what was used the longest time ago', () => {
    const dropped: DroppedBlock[] = [];
    const pool = new BlockPool(3, (block) => dropped.push(block));
    const blocks = allocated(pool, 3);
    for (const [index, block] of blocks.entries()) pool.publish(block, `prefix ${String(index)}`);
    for (const block of blocks) pool.release(block);
    expect(pool).toMatchObject({ numAvailable: 3, numCached: 3, numReferenced: 0 });
    const first = pool.find('prefix 0') ?? NaN;
    pool.retain(first);
    pool.release(first);
    expect(pool.allocate()).toBe(blocks[1]);
    expect(dropped.map(({ prefix }) => prefix)).toEqual(['prefix 1']);
    expect(pool.find('prefix 1')).toBeUndefined();
    expect(pool.find('prefix 0')).toBe(first);
  });

  it('takes blocks without content before it drops any', () => {
    const pool = new BlockPool(2);
    const [known = NaN, other = NaN] = allocated(pool, 2);
    pool.publish(known, 'known');
    pool.release(known);
    pool.release(other);
    expect(pool.allocate()).toBe(other);
    expect(pool.find('known')).toBe(known);
  });

  it('knows content by the first block that had it', () => {
    const pool = new BlockPool(2);
    const [first = NaN, second = NaN] = allocated(pool, 2);
    pool.publish(first, 'same');
    pool.publish(second, 'same');
    pool.release(second);
    expect(pool.find('same')).toBe(first);
    expect(pool.numCached).toBe(0);
  });

  it('shares no block that has no content', () => {
    expect(() => {
      new BlockPool(1).retain(0);
    }).toThrow('no content');
  });

  it('names what nobody references, most recently used first, with the longest sequence that had it', () => {
    const pool = new BlockPool(2);
    const blocks = allocated(pool, 2);
    for (const [index, block] of blocks.entries()) pool.publish(block, String(index));
    pool.noteChainLength(blocks[0] ?? NaN, 5);
    pool.noteChainLength(blocks[0] ?? NaN, 2);
    for (const block of blocks) pool.release(block);
    expect([...pool.unreferenced()].map(({ prefix, chainLength }) => [prefix, chainLength])).toEqual([
      ['1', 1],
      ['0', 5],
    ]);
  });
});
