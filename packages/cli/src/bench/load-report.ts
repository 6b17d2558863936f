import { type LoadSummary } from './load-summary.js';
import { type Quantiles } from './quantiles.js';

const HEADINGS = [
  'concurrency',
  'requests',
  'output tok/s',
  'total tok/s',
  'TTFT p50/p90/p99 ms',
  'inter-token p50/p90/p99 ms',
  'errors',
];

/** A table for people, one line per concurrency, and the errors below it. */
export function loadReport(summaries: readonly LoadSummary[]): string {
  const rows = [HEADINGS, ...summaries.map(toCells)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '));
  const errors = summaries.flatMap((summary) =>
    summary.errors.map(
      ({ message, count }) => `concurrency ${String(summary.concurrency)}: ${String(count)} times: ${message}`,
    ),
  );
  return [...lines, ...errors, ''].join('\n');
}

function toCells(summary: LoadSummary): string[] {
  const { numDone, numRequests } = summary;
  return [
    String(summary.concurrency),
    numDone === numRequests ? String(numDone) : `${String(numDone)} of ${String(numRequests)}`,
    summary.outputTokensPerSecond.toFixed(1),
    summary.totalTokensPerSecond.toFixed(1),
    quantilesText(summary.timeToFirstTokenMs),
    quantilesText(summary.interTokenMs),
    String(summary.errors.reduce((total, { count }) => total + count, 0)),
  ];
}

const quantilesText = (quantiles: Quantiles | undefined): string =>
  quantiles === undefined ? '-' : [quantiles.p50, quantiles.p90, quantiles.p99].map((ms) => ms.toFixed(1)).join(' / ');
