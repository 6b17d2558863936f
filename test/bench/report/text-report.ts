import { type Samples } from '../harness/samples.js';
import { type Summary } from '../harness/statistics.js';
import { type TargetResult } from '../harness/targets.js';
import { FIGURE_SECTIONS, type FigureRow } from './figure-rows.js';

const FIGURE_HEADINGS = ['', '', 'median', 'least', 'most', 'best peer', 'ratio', 'of the limit'];
const TARGET_HEADINGS = ['#', 'target', 'measured', 'asked', 'met'];

/**
 * The whole report for people: every figure that was measured with its spread, beside the peer and the limit, then the
 * targets.
 */
export function textReport(samples: Samples, targets: readonly TargetResult[]): string {
  const sections = FIGURE_SECTIONS.flatMap(({ title, rows }) => {
    const cells = rows.flatMap((row) => figureCells(row, samples));
    return cells.length === 0 ? [] : [`${title}\n${table(withoutEmptyColumns([FIGURE_HEADINGS, ...cells]), 1)}`];
  });
  const targetCells = targets.map(({ id, title, part, better, measured, target, met, reason }) => [
    String(id),
    part === undefined ? title : `${title}: ${part}`,
    measured === null ? '-' : formatNumber(measured),
    `${better === 'higher' ? '>=' : '<='} ${formatNumber(target)}`,
    met === null ? `not measured: ${reason ?? ''}` : met ? 'yes' : 'no',
  ]);
  return [...sections, `Targets\n${table([TARGET_HEADINGS, ...targetCells], 2)}`].join('\n');
}

function figureCells({ title, unit, measure, peer, limit, better }: FigureRow, samples: Samples): string[][] {
  const summary = samples.summary(measure);
  if (summary === undefined) return [];
  const fraction = limit === undefined ? undefined : samples.ratio(measure, limit)?.median;
  return [
    [
      title,
      unit,
      ...[summary.median, summary.min, summary.max].map(formatNumber),
      formatMedian(peer === undefined ? undefined : samples.summary(peer)),
      formatMedian(peer === undefined ? undefined : samples.ratio(measure, peer)),
      fraction === undefined ? '' : `${String(Math.round(100 * (better === 'lower' ? 1 / fraction : fraction)))} %`,
    ],
  ];
}

const formatMedian = (summary: Summary | undefined): string =>
  summary === undefined ? '' : formatNumber(summary.median);

/** Leaves out what no row but the first, the headings, has anything in. */
function withoutEmptyColumns(rows: readonly (readonly string[])[]): string[][] {
  const isUsed = (column: number): boolean => rows.slice(1).some((row) => row[column] !== '');
  return rows.map((row) => row.filter((_, column) => isUsed(column)));
}

/** Three digits, and no exponent. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-3))));
  return value.toFixed(digits);
}

/** Columns of equal width; the first `numLeft` are aligned on the left. */
export function table(rows: readonly (readonly string[])[], numLeft: number): string {
  const numColumns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: numColumns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column < numLeft ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return `${rows.map(line).join('\n')}\n`;
}
