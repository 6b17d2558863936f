import { describe, expect, it } from 'vitest';
import { decodeShares, MAX_ROWS_WITH_LOGITS, promptShares } from './step-shares.js';

const sequence = (numTokens: number, numComputed: number): { numTokens: number; numComputed: number } => ({
  numTokens,
  numComputed,
});

describe('decodeShares', () => {
  it('takes the last token of every decoding sequence and of no prompt', () => {
    const decoding = [sequence(10, 9), sequence(20, 19)];
    expect(decodeShares([sequence(100, 0), ...decoding])).toEqual(
      decoding.map((decodes) => ({ sequence: decodes, numTokens: 1 })),
    );
  });
});

describe('promptShares', () => {
  const sizes = (running: readonly ReturnType<typeof sequence>[], numTokens: number): number[] => {
    const shares = promptShares(running, numTokens);
    return running.map((prompt) => shares.find((share) => share.sequence === prompt)?.numTokens ?? 0);
  };

  it('gives one prompt all, and never more than it has left', () => {
    expect(sizes([sequence(100, 20)], 16)).toEqual([16]);
    expect(sizes([sequence(5, 2)], 512)).toEqual([3]);
  });

  it('halves between the oldest and the shortest, so that neither waits for all of the other', () => {
    expect(sizes([sequence(4096, 0), sequence(300, 0), sequence(20, 0)], 16)).toEqual([8, 0, 8]);
    expect(sizes([sequence(4096, 0), sequence(300, 0), sequence(4, 0)], 16)).toEqual([8, 4, 4]);
  });

  it('lets no short prompts, however many come, take more than half from a long one', () => {
    let long = sequence(4096, 0);
    let numSteps = 0;
    for (; long.numTokens - long.numComputed > 1; numSteps++)
      long = sequence(4096, long.numComputed + (sizes([long, sequence(8, 0), sequence(8, 0)], 16)[0] ?? 0));
    expect(numSteps).toBeLessThanOrEqual(4096 / 8);
  });

  it('leaves nothing over while a prompt has tokens left', () => {
    expect(sizes([sequence(30, 0), sequence(6, 0), sequence(6, 0)], 40)).toEqual([28, 6, 6]);
    expect(sizes([sequence(30, 0), sequence(6, 0), sequence(6, 0)], 1)).toEqual([0, 1, 0]);
  });

  it('bounds the rows of prompts whose logits are all needed, and leaves the rest to others', () => {
    const scored = { ...sequence(4096, 0), needsAllRows: true };
    expect(sizes([scored, sequence(4096, 0)], 512)).toEqual([MAX_ROWS_WITH_LOGITS, 512 - MAX_ROWS_WITH_LOGITS]);
    expect(sizes([scored, { ...scored }], 512)).toEqual([MAX_ROWS_WITH_LOGITS, 0]);
  });

  it('leaves out sequences that decode', () => {
    expect(promptShares([sequence(10, 9)], 16)).toEqual([]);
  });
});
