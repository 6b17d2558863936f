import { expect, it } from 'vitest';
import { ratePlot } from './rate-plot.js';

it('draws a line for each kernel, on a logarithmic scale of rows, with names that are escaped', () => {
  const plot = ratePlot('avx2, 2 threads', 'GMAC/s', [
    {
      title: '4 bits',
      points: [
        [1, 30],
        [4, 60],
        [16, 60],
      ],
    },
    { title: '8 < 16', points: [[1, 10]] },
  ]);
  expect(plot).toContain('4 bits, 16 rows: 60.0');
  expect(plot).toContain('8 &lt; 16, 1 rows: 10.0');
  const [first = ''] = /(?<=points=")[^"]+/.exec(plot) ?? [];
  const [[x1 = 0, y1 = 0] = [], [x4 = 0, y4 = 0] = [], [x16 = 0, y16 = 0] = []] = first
    .split(' ')
    .map((point) => point.split(',').map(Number));
  expect(x16 - x4).toBeCloseTo(x4 - x1, 0);
  expect([y4 < y1, y16 === y4]).toEqual([true, true]);
});
