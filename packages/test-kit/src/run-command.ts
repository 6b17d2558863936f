import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const CLI = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));

export interface RanCommand {
  readonly code: number;
  /** Of stdout, then of stderr. */
  readonly output: string;
}

/** Runs a command of `expertmesh` to its end. */
export async function runCommand(...args: readonly string[]): Promise<RanCommand> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [CLI, ...args]);
    return { code: 0, output: stdout + stderr };
  } catch (thrown) {
    const { code, stdout, stderr } = thrown as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}
