import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { buildKernelDriver, isInstalled } from '@expertmesh/test-kit/kernel-driver';

const run = promisify(execFile);
const BUILD_TIMEOUT_MS = 900_000;
const CROSS_COMPILER = 'aarch64-linux-gnu-g++';
const EMULATOR = 'qemu-aarch64';

/** Skips a suite, and says in its name what to install for it. */
function describeWith(programs: readonly string[], packages: string, name: string, suite: () => void): void {
  if (programs.every(isInstalled)) describe(name, suite);
  else describe.skip(`${name}: needs apt-get install ${packages}`, suite);
}

// The C++ tests of native/test compare every kernel with plain arithmetic, give the layers random wrong arguments, and
// use files whose last byte is the last byte of a page.
if (process.arch === 'x64') {
  describeWith(['g++'], 'g++', 'the C++ core', () => {
    it.each([
      ['reads and writes only what is its own (address and undefined behaviour sanitizers)', 'address,undefined', []],
      ['has no data race (thread sanitizer)', 'thread', ['threads']],
    ])(
      '%s',
      async (_, sanitizers, args) => {
        const flags = ['-O1', '-g1', `-fsanitize=${sanitizers}`, '-fno-sanitize-recover=all'];
        const driver = await buildKernelDriver({ compiler: 'g++', targetArch: 'x64', flags });
        expect((await run(driver, args)).stdout).toContain('ok portable');
      },
      BUILD_TIMEOUT_MS,
    );
  });
}

describeWith([CROSS_COMPILER, EMULATOR], 'g++-aarch64-linux-gnu qemu-user', 'the C++ core on AArch64', () => {
  it(
    'computes the same with NEON as with plain arithmetic (emulated)',
    async () => {
      const flags = ['-O1', '-static'];
      const driver = await buildKernelDriver({ compiler: CROSS_COMPILER, targetArch: 'arm64', flags });
      expect((await run(EMULATOR, ['-cpu', 'max', driver])).stdout).toContain('ok neon');
    },
    BUILD_TIMEOUT_MS,
  );
});
