import { renameSync, writeFileSync } from 'node:fs';

/** Whole at any time, and never readable by more than `mode` says. */
export function replaceFile(file: string, text: string, mode: number): void {
  const partial = `${file}.${String(process.pid)}.partial`;
  writeFileSync(partial, text, { mode, flag: 'wx' });
  renameSync(partial, file);
}
