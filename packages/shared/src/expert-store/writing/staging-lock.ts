import { readFileSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';

/**
 * Keeps a second process out of a folder. The lock is a symbolic link to nowhere whose target names its holder: it is
 * made together with its content in one step, so that nobody ever sees half a lock. The lock of a process that is gone
 * is taken over.
 *
 * @returns releases the lock
 * @throws ExpertmeshError `failed_precondition` while another process holds it.
 */
export function acquireLock(file: string): () => void {
  const self = holderName(process.pid);
  if (!tryLock(file, self)) {
    refuseIfHeld(file);
    unlinkSync(file);
    if (!tryLock(file, self)) refuseIfHeld(file);
  }
  return () => {
    unlinkSync(file);
  };
}

function tryLock(file: string, holder: string): boolean {
  try {
    symlinkSync(holder, file);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

function refuseIfHeld(file: string): void {
  const holder = readlinkSync(file);
  const [pid = '', startTime = '', host = ''] = holder.split(':');
  const isElsewhere = host !== hostname();
  if (!isElsewhere && holder !== holderName(Number(pid), startTime)) return;
  throw new ExpertmeshError(
    'failed_precondition',
    `process ${pid} on ${host} is writing this store: wait for it or stop it` +
      (isElsewhere ? `; if it is not running any more, delete ${file}` : ''),
  );
}

/** Process ids come again; together with its start time one names a process. */
function holderName(pid: number, startTime = processStartTime(pid)): string {
  const isAlive = pid > 0 && processIsAlive(pid) && processStartTime(pid) === startTime;
  return isAlive ? `${String(pid)}:${startTime}:${hostname()}` : '';
}

function processIsAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}

/** In clock ticks since boot, field 22 of /proc/PID/stat; the empty string where there is no such file. */
function processStartTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return '';
    throw error;
  }
}

const isErrno = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
