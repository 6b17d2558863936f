import { readFileSync } from 'node:fs';

/** Linux counts processor time in hundredths of a second for user space, whatever the kernel's own clock. */
const TICKS_PER_SECOND = 100;
/** Places of utime and stime behind the name of the program, which is in brackets and may have spaces. */
const USER_FIELD = 11;
const SYSTEM_FIELD = 12;

/** Processor time that a process has taken so far, in seconds. */
export function processorSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_FIELD]) + Number(fields[SYSTEM_FIELD])) / TICKS_PER_SECOND;
}
