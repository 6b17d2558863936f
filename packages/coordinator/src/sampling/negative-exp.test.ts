import { expect, it } from 'vitest';
import { negativeExp } from './negative-exp.js';

it('is the exponential to a relative 2e-10', () => {
  let worst = 0;
  for (let x = 0; x > -40; x -= 0.000_371) worst = Math.max(worst, Math.abs(negativeExp(x) / Math.exp(x) - 1));
  expect(worst).toBeLessThan(2e-10);
});

it('is 1 at 0, and 0 where it is negligible', () => {
  expect([0, -40, -1e9, -Infinity].map(negativeExp)).toEqual([1, 0, 0, 0]);
});
