import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const dir = mkdtempSync(join(tmpdir(), 'expertmesh-tests-'));

/**
 * Gives the whole test run a temporary directory of its own, so that nothing is left behind, whatever happens in a
 * test.
 */
export function setup(): void {
  process.env['TMPDIR'] = dir;
}

export function teardown(): void {
  rmSync(dir, { recursive: true, force: true });
}
