import { type BigIntStats } from 'node:fs';

/**
 * What the file system says of a file's state: size, times, inode and device. Whoever writes to a file moves its ctime,
 * which, unlike mtime, nobody can put back without setting the machine's clock or writing to the disk below the file
 * system.
 */
export function stampOf({ size, mtimeNs, ctimeNs, ino, dev }: BigIntStats): string {
  return [size, mtimeNs, ctimeNs, ino, dev].join(':');
}

/** Longer than one tick of the clock that stamps files (at most 10 ms on Linux). */
const SETTLING_MS = 100;

/**
 * Whether any later change of the file would show in its stamp: a change within the same tick of the clock does not.
 *
 * @param nowMs a moment before the file's content was looked at, in ms since 1970
 */
export function isSettled({ mtimeNs, ctimeNs }: BigIntStats, nowMs: number): boolean {
  return nowMs - Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n) >= SETTLING_MS;
}
