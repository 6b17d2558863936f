import { expect, it } from 'vitest';
import { stagePlot } from './stage-plot.js';

const stagesMs = { dense: 1, serialise: 0.5, wire: 0.25, wait: 0, compute: 2, combine: 0.25 };

it('draws a piece for every stage, as wide as its time, one behind the other', () => {
  const svg = stagePlot('Layers', [
    { title: 'whole', stagesMs },
    { title: 'half', stagesMs: { ...stagesMs, dense: 0, compute: 1 } },
  ]);
  const pieces = [...svg.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*><title>\w+: [\d.]+ ms/g)];
  const [xs, widths] = [1, 2].map((group) => pieces.map((piece) => Number(piece[group])));
  expect(pieces).toHaveLength(12);
  expect(widths?.slice(0, 6)).toEqual([150, 75, 37.5, 0, 300, 37.5]);
  expect(xs?.slice(0, 3)).toEqual([220, 370, 445]);
  expect(svg).toContain('4.00 ms');
  expect(svg).toContain('2.00 ms');
});

it('writes titles that are not XML as text', () => {
  expect(stagePlot('a < b & c', [{ title: '"q"', stagesMs }])).toMatch(/a &lt; b &amp; c[\s\S]*&quot;q&quot;/);
});
