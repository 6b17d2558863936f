import { readFileSync } from 'node:fs';

/** Resident memory of a process now, in bytes. Linux. */
export function residentBytes(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

export interface MemorySample {
  readonly atMs: number;
  readonly bytes: number;
}

/** Growth in parts of the mean per ten minutes, by the line of least squares. */
export function growthPerTenMinutes(samples: readonly MemorySample[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanMs = mean(samples.map(({ atMs }) => atMs));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  const covariance = mean(samples.map(({ atMs, bytes }) => (atMs - meanMs) * (bytes - meanBytes)));
  const variance = mean(samples.map(({ atMs }) => (atMs - meanMs) ** 2));
  return variance === 0 ? 0 : ((covariance / variance) * 600_000) / meanBytes;
}
