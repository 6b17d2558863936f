import { describe, expect, it } from 'vitest';
import { StepTimeModel } from './step-time-model.js';

function learned(measured: readonly (readonly [numRows: number, elapsedMs: number])[]): StepTimeModel {
  const model = new StepTimeModel();
  for (const [numRows, elapsedMs] of measured) model.observe(numRows, elapsedMs);
  return model;
}

describe('StepTimeModel', () => {
  it('knows what it has measured and interpolates between sizes that are near', () => {
    const model = learned([
      [8, 80],
      [16, 120],
    ]);
    expect(model.expectMs(8)).toBeCloseTo(80);
    expect(model.expectMs(12)).toBeCloseTo(100);
    expect(model.expectMs(16)).toBeCloseTo(120);
  });

  it('takes a row for a tenth of a step where nothing near was measured', () => {
    expect(new StepTimeModel().expectMs(11)).toBeCloseTo(2);
    const model = learned([
      [1, 20],
      [512, 9000],
    ]);
    expect(model.expectMs(11)).toBeCloseTo(40);
    expect(learned([[11, 40]]).expectMs(1)).toBeCloseTo(20);
  });

  it('follows a change and makes little of one pause', () => {
    const model = learned(Array.from({ length: 20 }, () => [1, 20]));
    model.observe(1, 2000);
    expect(model.expectMs(1)).toBeLessThan(23);
    for (let i = 0; i < 30; i++) model.observe(1, 40);
    expect(model.expectMs(1)).toBeCloseTo(40, 0);
  });

  it('makes little of a first step that takes far longer than its neighbours predict', () => {
    const model = learned([
      [8, 80],
      [11, 2000],
    ]);
    expect(model.expectMs(11)).toBeCloseTo((2 * 80 * 2) / 1.7);
    const proportional = learned([
      [1, 20],
      [2, 40],
    ]);
    expect(proportional.expectMs(2)).toBeCloseTo(40);
  });

  it('forgets what was not measured for long', () => {
    const model = learned([[16, 500]]);
    for (let i = 0; i < 513; i++) model.observe(1, 20);
    expect(model.expectMs(16)).toBeCloseTo(50);
  });

  it('reaches half as far again as the sizes that follow each other closely', () => {
    expect(new StepTimeModel().reachableRows(4)).toBe(6);
    const model = learned([
      [4, 30],
      [8, 40],
      [512, 900],
    ]);
    expect(model.reachableRows(4)).toBe(12);
    expect(model.reachableRows(256)).toBe(768);
  });
});
