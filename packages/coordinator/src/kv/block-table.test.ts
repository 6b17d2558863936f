import { describe, expect, it } from 'vitest';
import { BlockPool } from './block-pool.js';
import { BlockTable } from './block-table.js';

function setUp(numBlocks: number): { pool: BlockPool; copies: [number, number][]; table: () => BlockTable } {
  const pool = new BlockPool(numBlocks);
  const copies: [number, number][] = [];
  const memory = { copyBlock: (from: number, to: number) => copies.push([from, to]) };
  return { pool, copies, table: () => new BlockTable({ pool, memory }) };
}

function grow(table: BlockTable, numTokens: number): boolean {
  const hasRoom = table.reserve(numTokens);
  if (hasRoom) table.advance(numTokens);
  return hasRoom;
}

describe('BlockTable', () => {
  it('takes a block when a token needs it, and none before', () => {
    const { pool, table: create } = setUp(3);
    const table = create();
    const counts = Array.from({ length: 70 }, () => (grow(table, 1), table.blockIds.length));
    expect([counts[0], counts[31], counts[32], counts[63], counts[64]]).toEqual([1, 1, 2, 2, 3]);
    expect(pool.numReferenced).toBe(3);
  });

  it('changes nothing when there are too few blocks', () => {
    const { pool, table: create } = setUp(2);
    const table = create();
    expect(table.reserve(65)).toBe(false);
    expect(pool.numReferenced).toBe(0);
    expect(table.roomWith(pool.numAvailable)).toBe(64);
  });

  it('shares the blocks of a fork, and copies the last one when it is written', () => {
    const { pool, copies, table: create } = setUp(4);
    const table = create();
    grow(table, 40);
    const fork = table.fork();
    expect(pool.numReferenced).toBe(2);
    const shared = [...table.blockIds];
    expect(fork.numMissing(1)).toBe(1);
    grow(fork, 1);
    expect(copies).toEqual([[shared[1], fork.blockIds[1]]]);
    expect([...table.blockIds]).toEqual(shared);
    // Nobody else reads it now, so it is written in place.
    expect(table.numMissing(1)).toBe(0);
    grow(table, 1);
    expect(copies).toHaveLength(1);
    fork.release();
    table.release();
    expect(pool.numAvailable).toBe(4);
  });

  it('never copies a full block', () => {
    const { copies, table: create } = setUp(4);
    const table = create();
    grow(table, 32);
    const fork = table.fork();
    grow(fork, 1);
    grow(table, 1);
    expect(copies).toEqual([]);
    expect(fork.blockIds[0]).toBe(table.blockIds[0]);
    expect(fork.blockIds[1]).not.toBe(table.blockIds[1]);
  });

  it('counts the copy among what is missing', () => {
    const { table: create } = setUp(3);
    const table = create();
    grow(table, 40);
    const fork = table.fork();
    expect(fork.numMissing(30)).toBe(2);
    expect(fork.reserve(30)).toBe(false);
    expect(fork.roomWith(1)).toBe(24);
    expect(fork.roomWith(0)).toBe(0);
  });

  it('gives back the blocks of tokens that are forgotten', () => {
    const { pool, table: create } = setUp(4);
    const table = create();
    grow(table, 100);
    table.truncate(33);
    expect([table.length, table.blockIds.length, pool.numReferenced]).toEqual([33, 2, 2]);
  });

  it('drops the ends of sequences before their beginnings', () => {
    const { pool, table: create } = setUp(3);
    const table = create();
    grow(table, 96);
    const blocks = [...table.blockIds];
    for (const block of blocks) pool.publish(block, String(block));
    table.release();
    expect([pool.allocate(), pool.allocate(), pool.allocate()]).toEqual(blocks.reverse());
  });
});
