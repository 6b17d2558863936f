import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { type Check } from './check.js';
import { USABLE_MEMORY, type ModelFit } from './model-fit.js';

/** What `doctor --json` prints. */
export interface DoctorReport {
  readonly checks: readonly Check[];
  readonly models: readonly ModelFit[];
}

export function isHealthy({ checks }: DoctorReport): boolean {
  return checks.every(({ status }) => status !== 'broken');
}

const MARKS = { ok: 'ok', note: '-', broken: 'BROKEN' } as const;

/** The report as a table for people. */
export function reportText(report: DoctorReport): string {
  const rows = [
    ...report.checks.map(({ name, status, detail }) => [MARKS[status], name, detail]),
    ...report.models.map((fit) => ['', `${fit.model}, ${String(fit.bits)} bits`, fitText(fit)]),
  ];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return `${lines.join('\n')}\n`;
}

function fitText({ memoryBytes, numBoxes }: ModelFit): string {
  const need = `needs ${formatBytes(memoryBytes)} for weights`;
  const margin = `with ${String(USABLE_MEMORY * 100)} % of the memory for weights`;
  if (numBoxes === undefined) return `${need}: not even the coordinator's part fits on such a box, ${margin}`;
  return numBoxes === 1
    ? `${need}: fits on this box, ${margin}`
    : `${need}: takes ${String(numBoxes)} boxes like this one, ${margin}`;
}
