import { describe, expect, it } from 'vitest';
import { compileConstraint } from '../../sampling/grammar/compile-constraint.js';
import { WarmUps } from './warm-ups.js';

/** A token for every byte. */
const BYTES = {
  vocabSize: 257,
  tokenBytes: { get: (tokenId: number) => (tokenId < 256 ? Uint8Array.of(tokenId) : new Uint8Array()) },
  specialTokenIds: new Set([256]),
  endTokenIds: [256],
};

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function pieces(numPieces: number, onPiece: () => void): { warmUp(): Generator<void> } {
  return {
    *warmUp() {
      for (let piece = 0; piece < numPieces; piece++) {
        onPiece();
        yield;
      }
    },
  };
}

describe('WarmUps', () => {
  it('work out one piece a turn, however many constraints wait', async () => {
    const warmUps = new WarmUps();
    let numPieces = 0;
    const count = (): void => {
      numPieces += 1;
    };
    for (let constraint = 0; constraint < 10; constraint++) warmUps.add(pieces(5, count));
    await turns(10);
    expect(numPieces).toBeGreaterThan(5);
    expect(numPieces).toBeLessThanOrEqual(10);
    await turns(60);
    expect(numPieces).toBe(50);
  });

  it('warm a constraint once', async () => {
    const warmUps = new WarmUps();
    let numPieces = 0;
    const constraint = pieces(3, () => {
      numPieces += 1;
    });
    for (let answer = 0; answer < 4; answer++) warmUps.add(constraint);
    await turns(10);
    warmUps.add(constraint);
    await turns(10);
    expect(numPieces).toBe(3);
  });

  it('leave a grammar that proves too ambiguous, and go on with the others', async () => {
    const warmUps = new WarmUps();
    const source = 'root ::= s\ns ::= ("a" s? s? s? s?)';
    const ambiguous = compileConstraint({ kind: 'grammar', source }, BYTES);
    expect(() => [...ambiguous.warmUp()]).toThrow('more than 20000 ways');
    let numPieces = 0;
    warmUps.add(ambiguous);
    warmUps.add(pieces(20, () => (numPieces += 1)));
    await turns(50);
    expect(numPieces).toBe(20);
  });

  it('end when they are closed', async () => {
    const warmUps = new WarmUps();
    let numPieces = 0;
    warmUps.add(pieces(100, () => (numPieces += 1)));
    await turns(3);
    warmUps.close();
    const before = numPieces;
    await turns(5);
    expect(numPieces).toBe(before);
  });
});
