const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** A size for people, in decimal units with three digits: `1.57 GB`. */
export function formatBytes(sizeBytes: number): string {
  let value = sizeBytes;
  let power = 0;
  // 999.9 kB would be written as 1.00e+3 kB.
  while (Number(value.toPrecision(3)) >= 1000 && power < UNITS.length - 1) {
    value /= 1000;
    power += 1;
  }
  return `${power === 0 ? String(Math.round(value)) : value.toPrecision(3)} ${UNITS[power] ?? ''}`;
}
