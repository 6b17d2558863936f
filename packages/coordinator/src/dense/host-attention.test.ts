import { describe, expect, it } from 'vitest';
import { causalMask } from './host-attention.js';

describe('causalMask', () => {
  it('lets a token see itself and all before it, and hides later tokens and unused capacity', () => {
    const x = -Infinity;
    expect([...causalMask(2, 2, 5)]).toEqual([0, 0, 0, x, x, 0, 0, 0, 0, x]);
  });
});
