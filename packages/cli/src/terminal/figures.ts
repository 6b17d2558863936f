/** Figures as tables show them; what is not known is a dash. */

export const UNKNOWN = '-';

/** 0.123 -> 12.3 % */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function ratio(value: number | undefined): string {
  return value === undefined ? UNKNOWN : value.toFixed(3);
}

/** 0 stands for what was not measured. */
export function milliseconds(valueMs: number): string {
  if (valueMs === 0) return UNKNOWN;
  return valueMs < 999.5 ? `${valueMs.toPrecision(3)} ms` : `${(valueMs / 1000).toFixed(2)} s`;
}

/** 1 worker, 2 workers. */
export function counted(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`;
}

export function rate(perSecond: number): string {
  return perSecond.toFixed(perSecond < 10 ? 2 : 1);
}

/** Local time, to the second: 2026-01-31 09:05:00. */
export function timeText(timeMs: number): string {
  if (timeMs === 0) return UNKNOWN;
  const time = new Date(timeMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${String(time.getFullYear())}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}
