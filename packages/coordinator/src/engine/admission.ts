import { type BlockPool } from '../kv/block-pool.js';
import { blocksOf } from '@expertmesh/kernels/kv-layout';
import { type Sequence } from './sequence.js';

/** Share of the pool that stays free when a sequence starts beside others. */
const WATERMARK = 0.01;

/**
 * Whether a sequence may start: the blocks of all its tokens are free, beyond those that running prompts still need and
 * a watermark. Without that, a sequence would start only to push another out a moment later (thrashing). A sequence
 * that is alone starts always.
 *
 * @param running those that have a place already
 */
export function hasRoomFor(sequence: Sequence, running: readonly Sequence[], pool: BlockPool): boolean {
  if (running.length === 0) return true;
  let needed = blocksOf(sequence.numTokens);
  for (const blockId of sequence.knownBlocks(pool)) if (pool.numReferences(blockId) > 0) needed -= 1;
  for (const { table, numTokens, numComputed } of running) needed += table.numMissing(numTokens - numComputed);
  return needed + watermark(pool.numBlocks, running.length) <= pool.numAvailable;
}

/** Every running sequence needs another block within 32 steps. */
function watermark(numBlocks: number, numRunning: number): number {
  return Math.max(Math.ceil(WATERMARK * numBlocks), numRunning);
}
