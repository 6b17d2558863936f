import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RenderedPod } from './rendered-pods.js';
import { tempDir } from './temp-dir.js';

/**
 * Runs what Kubernetes runs in a container before it stops it.
 *
 * @param commands shell scripts by the names under which they are on the PATH, as `expertmesh` is in the image.
 * @returns the exit code.
 */
export async function runPreStop(
  { name, env, container }: RenderedPod,
  commands: Readonly<Record<string, string>>,
  overrides: Readonly<Record<string, string>> = {},
): Promise<number | null> {
  const binDir = tempDir();
  for (const [command, script] of Object.entries(commands)) {
    writeFileSync(join(binDir, command), `#!/bin/sh\n${script}\n`);
    chmodSync(join(binDir, command), 0o755);
  }
  const [file, ...args] = container.lifecycle?.preStop.exec.command ?? [];
  if (file === undefined) throw new Error(`${name} has no preStop`);
  const child = spawn(file, args, {
    env: { ...process.env, ...env, ...overrides, PATH: `${binDir}:${process.env['PATH'] ?? ''}` },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}
