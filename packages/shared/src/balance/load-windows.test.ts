import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded-random.js';
import { CountSums } from './count-sums.js';
import { LoadWindows } from './load-windows.js';

const shape = { layerIndices: [0], numExperts: 4, topK: 1 };
const lengths = { windowRows: 100, halfLifeRows: 200 };

/** Rows that all go to one expert, by one worker. */
function rowsOf(expertId: number, numRows: number): CountSums {
  const sums = new CountSums(shape);
  sums.addSteps(1, numRows);
  sums.tokens[expertId] = numRows;
  const { tokens, rows } = sums.worker('w1');
  tokens[0] = numRows;
  rows[0] = numRows;
  return sums;
}

const add = (windows: LoadWindows, counts: CountSums): boolean => windows.add(counts, counts.workers);

describe('LoadWindows', () => {
  it('ends windows of at least the length asked for, without overlap and without a gap', () => {
    const random = seededRandom(2);
    for (let trial = 0; trial < 200; trial++) {
      const windows = new LoadWindows(shape, lengths);
      let sinceEnd = 0;
      let numEnded = 0;
      for (let i = 0; i < 100; i++) {
        const numRows = 1 + Math.floor(random() * (trial % 2 === 0 ? 20 : 300));
        sinceEnd += numRows;
        if (!add(windows, rowsOf(0, numRows))) continue;
        numEnded += 1;
        expect(windows.window.numRows).toBeGreaterThanOrEqual(lengths.windowRows);
        expect(windows.window.numRows).toBeLessThanOrEqual(sinceEnd);
        // Of a window, all but what came in its last slice and one more report.
        expect(sinceEnd).toBeLessThanOrEqual(windows.window.numRows + (trial % 2 === 0 ? 50 : 600));
        sinceEnd = 0;
      }
      expect(numEnded).toBeGreaterThan(5);
      expect(sinceEnd).toBeLessThan(lengths.windowRows + 25);
    }
  });

  it('forgets in the window what is older than it, slice by slice', () => {
    const windows = new LoadWindows(shape, lengths);
    for (let i = 0; i < 4; i++) add(windows, rowsOf(0, 25));
    expect([...windows.window.tokens]).toEqual([100, 0, 0, 0]);
    add(windows, rowsOf(1, 25));
    expect([...windows.window.tokens]).toEqual([75, 25, 0, 0]);
    // A slice that is not full does not count yet.
    add(windows, rowsOf(2, 24));
    expect([...windows.window.tokens]).toEqual([75, 25, 0, 0]);
    for (let i = 0; i < 4; i++) add(windows, rowsOf(3, 25));
    expect(windows.window.tokens[0]).toBe(0);
    expect(windows.window.workers.get('w1')?.tokens[0]).toBe(windows.window.numRows);
  });

  it('shows what there is before the first window is full', () => {
    const windows = new LoadWindows(shape, lengths);
    add(windows, rowsOf(2, 3));
    expect([...windows.window.tokens]).toEqual([0, 0, 3, 0]);
    add(windows, rowsOf(1, 2));
    expect([...windows.window.tokens]).toEqual([0, 2, 3, 0]);
  });

  it('halves the weight of a count after the half-life, and keeps the total', () => {
    const windows = new LoadWindows(shape, lengths);
    add(windows, rowsOf(0, 64));
    add(windows, rowsOf(1, lengths.halfLifeRows));
    expect(windows.recent.tokens[0]).toBeCloseTo(32, 9);
    expect(windows.recent.tokens[1]).toBe(200);
    expect(windows.recent.numRows).toBeCloseTo(232, 9);
    expect(windows.recent.workers.get('w1')?.rows[0]).toBeCloseTo(232, 9);
    expect([...windows.total.tokens]).toEqual([64, 200, 0, 0]);
  });
});

describe('CountSums', () => {
  it('gives planning all layers, with steps of at least 1', () => {
    const sums = new CountSums({ layerIndices: [3, 7], numExperts: 2, topK: 1 });
    expect(sums.toLoads()).toMatchObject({ numSteps: 1, layers: [{ layerIndex: 3 }, { layerIndex: 7 }] });
    expect(sums.toLoads(false).layers[0]).not.toHaveProperty('coactivations');
  });

  it('keeps at most 1,024 workers apart', () => {
    const sums = new CountSums(shape);
    for (let w = 0; w < 2000; w++) sums.add(new CountSums(shape), new Map([[`w${String(w)}`, sums.worker('first')]]));
    expect(sums.workers.size).toBe(1024);
  });

  it('gives planning values that do not change with later counts', () => {
    const sums = rowsOf(1, 5);
    const loads = sums.toLoads();
    sums.add(rowsOf(1, 5), new Map());
    expect(Array.from(loads.layers[0]?.tokens ?? [])).toEqual([0, 5, 0, 0]);
  });
});
