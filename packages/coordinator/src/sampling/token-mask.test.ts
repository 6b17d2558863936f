import { expect, it } from 'vitest';
import { uniform } from './random.js';
import { forbidOthers, maskOf } from './token-mask.js';

const idsWhere = (length: number, holds: (id: number) => boolean): number[] =>
  Array.from({ length }, (_, id) => id).filter(holds);

it.each([0, 0.02, 0.5, 0.98, 1])('leaves exactly the tokens of a mask that has %f of them', (share) => {
  for (const vocabSize of [31, 32, 33, 500]) {
    const tokenIds = idsWhere(vocabSize, (id) => uniform(vocabSize, id) < share);
    const logits = new Float32Array(vocabSize).fill(1);
    forbidOthers(logits, maskOf(tokenIds, vocabSize));
    expect(idsWhere(vocabSize, (id) => logits[id] === 1)).toEqual(tokenIds);
    expect(logits.every((logit) => logit === 1 || logit === -Infinity)).toBe(true);
  }
});

it('forbids tokens beyond the end of the mask', () => {
  const logits = new Float32Array(100).fill(1);
  forbidOthers(logits, maskOf([3], 32));
  expect(idsWhere(100, (id) => logits[id] === 1)).toEqual([3]);
});
