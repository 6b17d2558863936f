import { describe, expect, it } from 'vitest';
import { RotaryTable } from './rotary-table.js';

describe('RotaryTable', () => {
  // 1 / (theta ** (torch.arange(0, 128, 2).float() / 128)) of PyTorch 2.15, for theta 1e6.
  it.each([
    [1, 0.8058422207832336],
    [3, 0.5232991576194763],
    [7, 0.22067339718341827],
    [10, 0.11547820270061493],
  ])('rounds the inverse frequency of pair %i as PyTorch does', (pairIndex, inverseFrequency) => {
    const position = 40_000;
    const table = new RotaryTable(128, 1e6);
    const cos = new Float32Array(table.halfDim);
    const sin = new Float32Array(table.halfDim);
    table.fill(position, 1, cos, sin, 0);
    const angle = Math.fround(Math.fround(inverseFrequency) * position);
    expect(cos[pairIndex]).toBe(Math.fround(Math.cos(angle)));
    expect(sin[pairIndex]).toBe(Math.fround(Math.sin(angle)));
  });
});
