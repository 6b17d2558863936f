import { escapeXml, label, rectangle, svgDocument } from './svg.js';

/** One line of a plot: rates by the number of rows. */
export interface RateLine {
  readonly title: string;
  /** Rows and a rate, by rows. */
  readonly points: readonly (readonly [rows: number, rate: number])[];
}

// Colours that stay apart for people who cannot tell red from green (Okabe and Ito).
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#e69f00', '#cc79a7', '#56b4e9', '#000000', '#7f7f7f'];
const WIDTH = 900;
const HEIGHT = 480;
const LEFT = 70;
const RIGHT = 250;
const TOP = 50;
const BOTTOM = 50;
const NUM_GRID_LINES = 5;

/** An SVG of rates over rows, both from zero or one on; rows on a logarithmic scale. */
export function ratePlot(heading: string, unit: string, lines: readonly RateLine[]): string {
  const points = lines.flatMap((line) => line.points);
  const mostRows = Math.max(2, ...points.map(([rows]) => rows));
  const mostRate = Math.max(Number.MIN_VALUE, ...points.map(([, rate]) => rate));
  const x = (rows: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * Math.log2(rows)) / Math.log2(mostRows);
  const y = (rate: number): number => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * rate) / mostRate;
  const rowTicks = [...new Set(points.map(([rows]) => rows))].sort((a, b) => a - b);
  const rateTicks = Array.from({ length: NUM_GRID_LINES + 1 }, (_, i) => (mostRate * i) / NUM_GRID_LINES);
  return svgDocument(WIDTH, HEIGHT, heading, [
    label(LEFT, TOP - 10, unit),
    label(WIDTH - RIGHT, HEIGHT - 12, 'rows', 'text-anchor="end"'),
    ...rateTicks.map((rate) => grid(y(rate)) + label(LEFT - 8, y(rate) + 4, rate.toFixed(0), 'text-anchor="end"')),
    ...rowTicks.map((rows) => label(x(rows), HEIGHT - BOTTOM + 20, String(rows), 'text-anchor="middle"')),
    ...lines.map((line, index) => drawLine(line, index, x, y)),
  ]);
}

function drawLine(
  { title, points }: RateLine,
  index: number,
  x: (rows: number) => number,
  y: (rate: number) => number,
): string {
  const colour = COLOURS[index % COLOURS.length] ?? '';
  const path = points.map(([rows, rate]) => `${x(rows).toFixed(1)},${y(rate).toFixed(1)}`).join(' ');
  const marks = points.map(
    ([rows, rate]) =>
      `<circle cx="${x(rows).toFixed(1)}" cy="${y(rate).toFixed(1)}" r="3" fill="${colour}">` +
      `<title>${escapeXml(`${title}, ${String(rows)} rows: ${rate.toFixed(1)}`)}</title></circle>`,
  );
  const legendY = TOP + 20 * index;
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...marks,
    rectangle(WIDTH - RIGHT + 20, legendY - 10, 12, 12, colour, title),
    label(WIDTH - RIGHT + 40, legendY, title),
  ].join('\n');
}

const grid = (y: number): string =>
  `<line x1="${String(LEFT)}" x2="${String(WIDTH - RIGHT)}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" ` +
  'stroke="#dddddd"/>';
